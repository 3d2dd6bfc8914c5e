"""The map of images: alike ones lie together, and the same features give the same map."""

from __future__ import annotations

import numpy as np
import pytest

from core.teachers.projection import flat_map


def test_alike_images_lie_together_and_it_is_the_same_each_time() -> None:
    kinds = np.arange(60) % 3
    features = np.random.default_rng(0).normal(size=(60, 20)).astype(np.float32)
    features[np.arange(60), kinds] += 12
    plane = flat_map(features)
    np.testing.assert_array_equal(plane, flat_map(features))
    centres = np.stack([plane[kinds == kind].mean(axis=0) for kind in range(3)])
    nearest = np.linalg.norm(plane[:, None] - centres[None], axis=2).argmin(axis=1)
    assert (nearest == kinds).mean() > 0.85


@pytest.mark.parametrize("images", [2, 7, 8])
def test_few_images_still_have_places(images: int) -> None:
    features = np.random.default_rng(0).normal(size=(images, 5)).astype(np.float32)
    plane = flat_map(features)
    assert plane.shape == (images, 2)
    assert np.isfinite(plane).all()
