"""Position embeddings on another grid: libraries resize them differently, and by how much.

timm, and so Bedside, resizes bicubically with antialiasing: shrinking averages over the neighbours
that fall into one place, and the cubic's coefficient is -0.5. transformers resizes without it:
shrinking picks values and skips some, and the coefficient is -0.75, so that enlarging differs too.
The same weights at their own size give the same features everywhere; at another size they do not,
and a teacher is best used at its own. Bedside has one rule, and the size is part of the key of the
stored features.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor
from torch.nn import functional as F

from core.teachers.formats.base import FORMATS
from tests.teachers import published
from tests.teachers.make_reference import as_map, kept
from tests.teachers.published import SMALL, fill

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))
STATE = fill(published.transformers_vit(SMALL, dino=True, new=True))
GRID = as_map(STATE["embeddings.position_embeddings"], 1)  # [1, 32, 4, 4], deviation 0.1


def ours(side: int) -> Tensor:
    """The grid as a teacher built for `side` x `side` patches gets it."""
    fmt = FORMATS.get("transformers_vit")
    guess = fmt.guess(STATE)[0]
    options = {key: value for key, value in guess.options.items() if key != "norm_eps"}
    network = timm.create_model(
        guess.architecture, num_classes=0, img_size=side * SMALL.patch, **options
    )
    return as_map(fmt.convert(STATE, network)["pos_embed"], 1)


def theirs(side: int) -> Tensor:
    """The grid as transformers makes it."""
    return F.interpolate(GRID, size=(side, side), mode="bicubic", align_corners=False)


def test_transformers_resizes_without_antialiasing() -> None:
    assert kept(theirs(3)) == pytest.approx(REFERENCE["positions"]["kept"], abs=1e-5)


def test_ours_are_timms() -> None:
    whole = STATE["embeddings.position_embeddings"]
    timms = as_map(resample_abs_pos_embed(whole, [3, 3], num_prefix_tokens=1), 1)
    torch.testing.assert_close(ours(3), timms)


def test_at_its_own_size_nothing_is_touched() -> None:
    assert torch.equal(ours(4), GRID)


@pytest.mark.parametrize("side", [3, 6])
def test_at_another_size_the_libraries_differ(side: int) -> None:
    difference = (ours(side) - theirs(side)).abs().max()
    assert 0.02 < difference < 0.2  # the embeddings have a deviation of 0.1


def test_the_difference_is_antialiasing_and_nothing_else() -> None:
    smoothed = F.interpolate(GRID, size=(3, 3), mode="bicubic", align_corners=False, antialias=True)
    torch.testing.assert_close(ours(3), smoothed)
