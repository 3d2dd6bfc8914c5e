"""The feature store: what it holds equals the teacher, and an interruption costs nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import ModelError
from core.teachers.features import (
    OnlineFeatures,
    build_store,
    store_bytes,
)
from core.teachers.room import plan_views
from core.tensors import shrink_map
from core.types import Stopped
from tests.teachers.conftest import Made
from tests.tiny import ListReporter


def test_stored_equals_online_within_bfloat16(made: Made, tmp_path: Path) -> None:
    teacher, cache, request = made
    stored = build_store(teacher, cache, request, tmp_path, ListReporter())
    online = OnlineFeatures(teacher, cache, request, "float32")
    positions, views = np.array([5, 0, 3]), np.array([1, 0, 1])
    for left, right in (
        (stored.seen(positions, views), online.seen(positions, views)),
        (stored.clean(positions), online.clean(positions)),
    ):
        assert len(left) == len(right) == 2
        for kept, fresh in zip(left, right, strict=True):
            assert kept.shape == fresh.shape
            torch.testing.assert_close(kept, fresh, rtol=2**-7, atol=1e-3)
    assert stored.seen(positions, views)[0].shape[-2:] == (2, 2)  # 4x4 averaged to the grid


def test_too_little_memory_asks_the_teacher_about_fewer(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 55: and then again about no more than that."""
    teacher, real = made[0], made[0].look
    images = torch.rand(9, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = teacher(images)
    asked: list[int] = []

    def look(part: torch.Tensor) -> list[torch.Tensor]:
        asked.append(len(part))
        if len(part) > most:
            raise torch.OutOfMemoryError
        return real(part)

    monkeypatch.setattr(teacher, "look", look)
    monkeypatch.setattr(teacher, "_at_once", 32)
    most = 2
    for maps in (teacher(images), teacher(images)):
        for found, whole in zip(maps, expected, strict=True):
            torch.testing.assert_close(found, whole, atol=1e-5, rtol=1e-4)
    assert asked == [9, 4, *2 * [2, 2, 2, 2, 1]]
    most = 0
    with pytest.raises(ModelError, match="M03"):
        teacher(images)


def test_views_differ_and_are_those_of_the_student(made: Made, tmp_path: Path) -> None:
    teacher, cache, request = made
    stored = build_store(teacher, cache, request, tmp_path, ListReporter())
    one = np.array([0])
    first, second = (stored.seen(one, np.array([view]))[1] for view in (0, 1))
    assert not torch.equal(first, second)


def test_an_interrupted_store_is_continued(made: Made, tmp_path: Path) -> None:
    teacher, cache, request = made
    whole = build_store(teacher, cache, request, tmp_path / "whole", ListReporter())
    with pytest.raises(Stopped):
        build_store(teacher, cache, request, tmp_path / "cut", ListReporter(stop_after=2))
    rest = build_store(teacher, cache, request, tmp_path / "cut", reporter := ListReporter())
    assert reporter.steps < 4
    positions = np.arange(len(request.train))
    for view in (0, 1):
        views = np.full(len(positions), view)
        for left, right in zip(
            whole.seen(positions, views), rest.seen(positions, views), strict=True
        ):
            assert torch.equal(left, right)


def test_more_views_are_added_to_what_is_there(made: Made, tmp_path: Path) -> None:
    teacher, cache, request = made
    build_store(teacher, cache, request, tmp_path, first := ListReporter())
    build_store(teacher, cache, replace(request, views=3), tmp_path, second := ListReporter())
    assert second.steps < first.steps
    build_store(teacher, cache, replace(request, views=3), tmp_path, third := ListReporter())
    assert third.steps == 0


def test_a_larger_store_is_read_and_nothing_computed_twice(made: Made, tmp_path: Path) -> None:
    (teacher, cache, request), stores = made, tmp_path / "stores"
    larger = build_store(teacher, cache, request, stores, ListReporter())
    last = replace(request, taps=request.taps[-1:], grids=request.grids[-1:])
    found = build_store(teacher, cache, last, stores, reporter := ListReporter())
    assert reporter.steps == 0
    assert [home.name for home in stores.iterdir()] == [request.key(teacher)]
    positions, views = np.array([3, 0, 2]), np.array([1, 0, 1])
    assert torch.equal(found.seen(positions, views)[0], larger.seen(positions, views)[-1])
    assert torch.equal(found.clean(positions)[0], larger.clean(positions)[-1])
    assert len(found.seen(positions, views)) == len(found.clean(positions)) == 1
    more = replace(last, views=3)  # than the larger one has
    build_store(teacher, cache, more, stores, reporter)
    assert reporter.steps > 0
    assert (stores / more.key(teacher)).is_dir()


def test_other_data_teacher_seed_or_grid_are_other_stores(made: Made) -> None:
    teacher, _, request = made
    others = [
        replace(request, data_sha256="x"),
        replace(request, seed=4),
        replace(request, augment="flips"),
        replace(request, grids=((1, 1), (1, 1))),
    ]
    keys = {found.key(teacher) for found in [request, *others]}
    assert len(keys) == 5
    assert replace(request, views=9).key(teacher) == request.key(teacher)


def test_the_disk_decides_how_many_views(made: Made) -> None:
    teacher, _, request = made
    per_view, clean = store_bytes(teacher, request)
    cells = (256 + 512) * 4
    assert per_view == 2 * cells * len(request.train)
    reserve = 2_000_000_000
    assert plan_views(per_view, clean, 4, reserve + clean + 10 * per_view) == 4
    assert plan_views(per_view, clean, 4, reserve + clean + 2 * per_view) == 2
    assert plan_views(per_view, clean, 4, reserve) == 0


@pytest.mark.parametrize(("size", "grid"), [(5, 4), (7, 4), (14, 7), (4, 1), (9, 9)])
def test_a_shrunken_map_has_the_same_mean(size: int, grid: int) -> None:
    """So a probe fitted to stored maps may be asked about whole ones."""
    features = torch.rand(2, 3, size, size, dtype=torch.float64)
    small = shrink_map(features, (grid, grid))
    assert small.shape == (2, 3, grid, grid)
    torch.testing.assert_close(small.mean((2, 3)), features.mean((2, 3)))
    if size % grid == 0:
        pooled = torch.nn.functional.adaptive_avg_pool2d(features, (grid, grid))
        torch.testing.assert_close(small, pooled)
