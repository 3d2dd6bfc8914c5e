"""A teacher looks at pictures in the faster arithmetic; a store stays in what it began in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.files import read_json, write_json
from core.teachers import features, precision
from core.teachers.base import Precision, Teacher
from core.teachers.features import ABOUT, OnlineFeatures, build_store
from core.teachers.precision import choose_precision
from core.types import Stopped
from tests.teachers.conftest import Made
from tests.tiny import ListReporter


class Paced:
    """Looks like a teacher, and is a clock: bfloat16 takes a given share of the time of float32."""

    def __init__(self, teacher: Teacher, half: dict[int, float]) -> None:
        self.mean, self.spec = teacher.mean, teacher.spec
        self._half = half
        self._now = 0.0
        self.looks = 0

    def __call__(self, images: torch.Tensor, kind: Precision) -> None:
        self._now += self._half[len(images)] if kind == "bfloat16" else 1
        self.looks += 1

    def perf_counter(self) -> float:
        return self._now


@pytest.mark.parametrize(
    ("half", "chosen", "looks"),
    [
        ([0.2], "bfloat16", 2),
        ([0.95, 0.8], "bfloat16", 8),
        ([0.8, 0.95], "float32", 8),
        ([5], "float32", 4),
    ],
)
def test_bfloat16_is_taken_where_it_clearly_pays(
    made: Made, half: list[float], chosen: str, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one picture leaves open, four decide."""
    paced = Paced(made[0], dict(zip((1, 4), half, strict=False)))
    monkeypatch.setattr(precision, "time", paced)
    assert choose_precision(paced, "auto") == chosen  # type: ignore[arg-type]
    assert paced.looks == looks


def test_a_teacher_that_cannot_compute_in_bfloat16_looks_in_float32(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def look(images: torch.Tensor) -> list[torch.Tensor]:
        looks.append(images)
        raise RuntimeError("\"some_kernel\" not implemented for 'BFloat16'")

    monkeypatch.setattr(made[0], "look", look)
    assert choose_precision(made[0], "auto") == "float32"
    assert len(looks) == 1


def test_what_was_asked_for_is_not_measured(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "time", None)
    for asked in ("float32", "bfloat16"):
        assert choose_precision(made[0], asked) == asked


def test_features_of_both_agree_within_bfloat16(made: Made) -> None:
    teacher, cache, request = made
    positions, views = np.array([5, 0, 3]), np.array([1, 0, 1])
    kinds: tuple[Precision, Precision] = ("float32", "bfloat16")
    single, half = (
        OnlineFeatures(teacher, cache, request, kind).seen(positions, views) for kind in kinds
    )
    for exact, rounded in zip(single, half, strict=True):
        assert rounded.dtype == torch.float32
        assert not torch.equal(exact, rounded)
        assert (exact - rounded).norm() < 0.02 * exact.norm()


def test_a_store_stays_in_the_arithmetic_it_began_in(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher, cache, request = made[0], made[1], replace(made[2], precision="auto")
    monkeypatch.setattr(features, "choose_precision", lambda teacher, asked: "bfloat16")
    whole = build_store(teacher, cache, request, tmp_path / "whole", ListReporter())
    with pytest.raises(Stopped):
        build_store(teacher, cache, request, tmp_path / "cut", ListReporter(stop_after=2))
    monkeypatch.setattr(features, "choose_precision", lambda teacher, asked: "float32")
    rest = build_store(teacher, cache, request, tmp_path / "cut", ListReporter())
    about = tmp_path / "cut" / request.key(teacher) / ABOUT
    assert read_json(about)["precision"] == "bfloat16"
    positions = np.arange(len(request.train))
    for left, right in zip(
        whole.seen(positions, 0 * positions), rest.seen(positions, 0 * positions), strict=True
    ):
        assert torch.equal(left, right)


def test_a_store_that_does_not_say_was_begun_in_float32(made: Made, tmp_path: Path) -> None:
    teacher, cache, request = made[0], made[1], replace(made[2], precision="auto")
    with pytest.raises(Stopped):
        build_store(teacher, cache, request, tmp_path, ListReporter(stop_after=2))
    about = tmp_path / request.key(teacher) / ABOUT
    said = read_json(about)
    del said["precision"]
    write_json(about, said)
    build_store(teacher, cache, request, tmp_path, ListReporter())
    assert read_json(about)["precision"] == "float32"


def test_who_asks_for_one_arithmetic_gets_a_store_of_it(made: Made) -> None:
    teacher, _, request = made
    kinds = ("auto", "float32", "bfloat16")
    assert len({replace(request, precision=kind).key(teacher) for kind in kinds}) == 3
