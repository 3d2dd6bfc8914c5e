"""The training pictures are the cache's, wherever they are kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.data.augment import apply_views, draw_views
from core.data.cache import PixelCache
from core.training.pictures import Pictures
from tests.tiny import SIDE
from tests.training.conftest import Bench


@pytest.mark.parametrize("side", [SIDE // 2, SIDE, SIDE * 2])
def test_what_is_kept_is_what_the_cache_shows(bench: Bench, side: int) -> None:
    cache = PixelCache(bench.dataset.folder)
    rows = np.arange(len(cache))[::-1].copy()
    pictures = Pictures(cache, rows, side, torch.device("cpu"))
    views = draw_views(0, ["a", "b", "c"], [0, 1, 2], "light")
    for positions in (np.array([4, 0, 2]), np.array([2, 4, 1])):  # the second time partly kept
        expected = apply_views(cache.images(rows[positions]), views, side)
        torch.testing.assert_close(pictures.seen(positions, views), expected, atol=1e-6, rtol=0)


def test_a_graphics_card_holds_them_all_or_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = PixelCache(bench.dataset.folder)
    rows = np.arange(len(cache))[::-1].copy()
    pictures = Pictures(cache, rows, SIDE, torch.device("cpu"))
    needed = cache.values(rows).nbytes
    for free, held in ((4 * needed, True), (4 * needed - 4, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, free))
        found = pictures._on(torch.device("cpu"))
        assert (found is not None) == held
        assert found is None or torch.equal(found, cache.values(rows))
