"""Teacher and student stage by stage, against an independent CKA in numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.data.augment import clean_view
from core.students.base import Student
from core.training.alignment import align_stages, probe_rows
from core.training.session import Session, initial_student
from core.types import SplitName, Stopped
from tests.tiny import SIDE, ListReporter
from tests.training.conftest import Bench


def cka(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased CKA by the sums of Song et al. 2012, written out."""

    def hsic(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
        n, one = len(k), np.ones(len(k))
        cross = np.trace(k @ l)
        means = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
        return float((cross + means - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3)))

    grams = [each @ each.T for each in (x.astype(np.float64), y.astype(np.float64))]
    for gram in grams:
        np.fill_diagonal(gram, 0)
    k, l = grams  # noqa: E741
    return hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))


@torch.no_grad()
def expected(bench: Bench, session: Session, student: Student) -> np.ndarray:
    rows = bench.dataset.part(SplitName.VALIDATION)["row"].to_numpy()
    images = session.cache.images(rows)
    theirs = [each.mean((2, 3)).numpy() for each in bench.teacher(clean_view(images, 64))]
    own = [each.mean((2, 3)).numpy() for each in student.eval().encode(clean_view(images, SIDE))]
    return np.array([[cka(x, y) for y in own] for x in theirs])


@pytest.mark.parametrize(
    ("method", "pairs"), [("rd", [[3, 3]]), ("kd", []), ("drd", [[i, i] for i in range(4)])]
)
def test_both_tables_are_those_of_the_initial_and_the_best_student(
    bench: Bench, tmp_path: Path, method: str, pairs: list[list[int]]
) -> None:
    session = bench.session(tmp_path, bench.config(method, epochs=1))
    session.train()
    found = align_stages(session, bench.teacher)
    fresh = initial_student(session.config, len(bench.dataset.classes))
    for key, student in (("before", fresh), ("after", session.student)):
        np.testing.assert_allclose(
            np.array(found[key], float), expected(bench, session, student), atol=2e-4
        )
    assert found["before"] != found["after"]
    assert found["images"] == len(bench.dataset.part(SplitName.VALIDATION))
    assert found["pairs"] == pairs


def test_a_resumed_run_has_the_same_before(bench: Bench, tmp_path: Path) -> None:
    whole = bench.session(tmp_path / "whole", bench.config(epochs=2))
    whole.train()
    with pytest.raises(Stopped):
        bench.session(tmp_path / "cut", bench.config(epochs=2), ListReporter(2)).train()
    resumed = bench.session(tmp_path / "cut", bench.config(epochs=2))
    resumed.train()
    assert align_stages(resumed, bench.teacher) == align_stages(whole, bench.teacher)


def test_it_stops_when_asked(bench: Bench, tmp_path: Path) -> None:
    session = bench.session(tmp_path, bench.config(), ListReporter(stop_after=0))
    with pytest.raises(Stopped):
        align_stages(session, bench.teacher)


def test_many_images_are_thinned_evenly() -> None:
    kept = probe_rows(np.arange(5000))
    assert (len(kept), kept[0], kept[-1]) == (512, 0, 4999)
    assert set(np.diff(kept)) <= {9, 10}
    assert list(probe_rows(np.arange(7))) == list(range(7))
