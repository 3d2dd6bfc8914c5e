"""Views are a pure function of (seed, image, view), and do what they say."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from core.data.augment import (
    GROUP,
    RANGES,
    apply_views,
    as_floats,
    clean_view,
    draw_views,
    view_for_epoch,
)

IDS = ["a", "b", "c"]


def pictures(size: int = 48) -> torch.Tensor:
    ramp = torch.linspace(0.1, 0.9, size)
    return (ramp[None, :] * ramp[:, None])[None, None].repeat(3, 1, 1, 1)


def test_same_key_same_view_whatever_the_company() -> None:
    together = draw_views(3, IDS, [0, 1, 2], "light")
    alone = draw_views(3, ["b"], [1], "light")
    assert torch.equal(together.geometry[1], alone.geometry[0])
    assert torch.equal(together.tone[1], alone.tone[0])


@pytest.mark.parametrize(("seed", "image", "view"), [(4, "b", 1), (3, "c", 1), (3, "b", 2)])
def test_every_part_of_the_key_matters(seed: int, image: str, view: int) -> None:
    reference = draw_views(3, ["b"], [1], "light")
    other = draw_views(seed, [image], [view], "light")
    assert not torch.equal(reference.geometry, other.geometry)


def test_no_augmentation_is_the_clean_picture() -> None:
    images = pictures()
    shown = apply_views(images, draw_views(0, IDS, [0, 0, 0], "none"), 48)
    assert (shown - images).abs().max() < 1e-4


def test_views_stay_in_range_and_within_the_limits() -> None:
    ids = [str(number) for number in range(500)]
    views = draw_views(0, ids, [0] * 500, "light")
    scale = views.geometry[:, :, :2].det().abs()
    limits = RANGES["light"]
    assert scale.min() >= limits.area - 1e-4
    assert scale.max() <= 1 + 1e-4
    assert views.tone[:, 0].min() >= 1 - limits.intensity
    shown = apply_views(
        pictures().repeat(5, 1, 1, 1), draw_views(0, ids[:15], [0] * 15, "strong"), 32
    )
    assert shown.shape == (15, 1, 32, 32)
    assert 0 <= shown.min() <= shown.max() <= 1


def test_mirroring_only_where_asked() -> None:
    ids = [str(number) for number in range(200)]
    mirrored = [
        (draw_views(0, ids, [0] * 200, kind).geometry[:, :, :2].det() < 0).float().mean().item()
        for kind in ("light", "flips")
    ]
    assert mirrored[0] == 0
    assert 0.4 < mirrored[1] < 0.6


def test_teacher_and_student_see_the_same_region() -> None:
    images = torch.zeros(1, 1, 128, 128)
    images[:, :, 30:60, 70:110] = 1
    views = draw_views(1, ["a"], [5], "light")
    large, small = (apply_views(images, views, side) for side in (128, 64))
    assert (clean_view(large, 64) - small).abs().mean() < 0.03


def test_every_stored_view_is_shown_once_in_a_round() -> None:
    shown = [view_for_epoch(7, "a", epoch, 4) for epoch in range(8)]
    assert sorted(shown[:4]) == [0, 1, 2, 3]
    assert shown[:4] == shown[4:]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [40, 48, 64])
def test_a_view_is_what_its_parameters_say(side: int, channels: int) -> None:
    """From 8 bits and from floats, in more than one group, and the same bit for bit alone."""
    count = 2 * GROUP + 3
    noise = torch.rand(count, channels, 48, 48, generator=torch.Generator().manual_seed(0))
    bytes_ = (255 * clean_view(noise, 12)).byte().repeat_interleave(4, 2).repeat_interleave(4, 3)
    bytes_[:, :, :9] = 0
    ids = [str(number) for number in range(count)]
    views = draw_views(0, ids, [0] * count, "strong")
    contrast, brightness, gamma = views.tone[:, :, None, None, None].unbind(1)
    plain = clean_view(as_floats(bytes_), side) if side < 48 else as_floats(bytes_)
    toned = ((plain.clamp(1e-6, 1) ** gamma - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)
    grid = functional.affine_grid(
        views.geometry, [count, channels, side, side], align_corners=False
    )
    expected = functional.grid_sample(toned.where(plain > 0, 0), grid, align_corners=False)
    for images in (bytes_, as_floats(bytes_)):
        shown = apply_views(images, views, side)
        torch.testing.assert_close(shown, expected, atol=1e-4, rtol=0)
        alone = apply_views(images[-2:-1], draw_views(0, ids[-2:-1], [0], "strong"), side)
        assert torch.equal(alone[0], shown[-2])
