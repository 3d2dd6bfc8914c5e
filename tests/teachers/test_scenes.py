"""Made pictures: as varied as they should be, alike when made again, and true to their facts."""

from __future__ import annotations

import pytest
import torch

from core.teachers.scenes import LESION, SURROUNDINGS, SceneMaker, Scenes


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return SceneMaker(0, 64).scenes(0, 256)


def test_shapes_and_ranges(scenes: Scenes) -> None:
    assert scenes.pictures.shape == (256, 1, 64, 64)
    assert scenes.lesion.shape == (256, LESION)
    assert scenes.surroundings.shape == (256, SURROUNDINGS)
    assert scenes.maps.shape == (256, 2, 64, 64)
    for values in (scenes.pictures, scenes.maps, scenes.presence):
        assert float(values.min()) >= 0
        assert float(values.max()) <= 1
    facts = torch.cat([scenes.lesion, scenes.surroundings], dim=1)
    assert facts.isfinite().all()
    assert float(facts.mean(0).abs().max()) < 1
    assert float(facts.std(0).min()) > 0.1
    assert float(facts.std(0).max()) < 2


def test_equal_seeds_and_numbers_make_equal_pictures(scenes: Scenes) -> None:
    again = SceneMaker(0, 64)
    again.scenes(7, 3)  # what was made before has no influence
    assert torch.equal(again.scenes(0, 256).pictures, scenes.pictures)
    assert not torch.equal(again.scenes(1, 256).pictures, scenes.pictures)
    assert not torch.equal(SceneMaker(1, 64).scenes(0, 256).pictures, scenes.pictures)


def test_a_lesion_is_where_the_facts_say(scenes: Scenes) -> None:
    """Its centre of mass is its place, its area its size; without one nothing is marked."""
    mask = scenes.maps[:, 0]
    present, second = scenes.presence.bool().unbind(1)
    assert not mask[~present].any()
    axis = torch.linspace(-1, 1, 64)
    x, y, radius = scenes.lesion[:, 8] / 2, scenes.lesion[:, 9] / 2, scenes.lesion[:, 0]
    radius = torch.exp(radius - 1.4)
    within = (x.abs() + radius < 0.9) & (y.abs() + radius < 0.9)
    alone = present & ~second & within & (radius > 0.15)
    assert int(alone.sum()) > 20
    weight = mask[alone].sum((1, 2))
    found_x = (mask[alone].sum(1) * axis).sum(1) / weight
    found_y = (mask[alone].sum(2) * axis).sum(1) / weight
    assert float((found_x - x[alone]).abs().median()) < 0.03
    assert float((found_y - y[alone]).abs().median()) < 0.03
    area, expected = weight, 3.14 * radius[alone] ** 2 * (32**2)
    assert torch.corrcoef(torch.stack([area.log(), expected.log()]))[0, 1] > 0.85


def test_a_lesion_differs_from_what_is_around_it(scenes: Scenes) -> None:
    """Where the contrast is strong and the picture is neither noisy nor turned to its negative."""
    maker = SceneMaker(5, 64)
    several = [maker.scenes(number, 256) for number in range(2)]
    pictures = torch.cat([found.pictures[:, 0] for found in several])
    mask = torch.cat([found.maps[:, 0] for found in several])
    contrast = torch.cat([found.lesion[:, 5] / 2 for found in several])
    inside = (pictures * mask).sum((1, 2)) / (mask.sum((1, 2)) + 1e-6)
    band = torch.nn.functional.max_pool2d(mask[:, None], 9, 1, 4)[:, 0] * (mask < 0.05)
    outside = (pictures * band).sum((1, 2)) / (band.sum((1, 2)) + 1e-6)
    clear = (contrast.abs() > 0.3) & (mask.sum((1, 2)) > 30)
    agrees = torch.sign(inside - outside)[clear] == torch.sign(contrast)[clear]
    assert int(clear.sum()) > 40
    assert float(agrees.float().mean()) > 0.7
