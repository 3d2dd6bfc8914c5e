"""Scores of images whose own patient was not asked: they find what is there, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core.teachers.out_of_fold import neighbour_scores, probe_scores
from core.types import Task

JUDGES = [probe_scores, neighbour_scores]
PATIENTS = np.repeat(np.arange(40), 2).astype(str)
Judge = Callable[..., np.ndarray]


def sample(signal: float, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """80 images of 40 patients, 10 features of which the first few tell the class."""
    targets = np.repeat(np.arange(40) % classes, 2)
    features = np.random.default_rng(1).normal(size=(80, 10)) + 7.0
    features[np.arange(80), targets] += signal
    return features.astype(np.float32), targets


@pytest.mark.parametrize("judge", JUDGES)
def test_what_is_there_is_found(judge: Judge) -> None:
    features, targets = sample(5.0, classes=3)
    scores = judge(features, targets, PATIENTS, 3, Task.MULTICLASS)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert roc_auc_score(targets, scores, multi_class="ovr") > 0.97


@pytest.mark.parametrize("judge", JUDGES)
def test_a_patient_never_helps_to_judge_itself(judge: Judge) -> None:
    """Twin images with a mark of their own: dividing patients would read the class off the twin."""
    features, targets = sample(0.0)
    features += 40 * np.eye(80)[:, ::2][np.arange(80) // 2 * 2][:, :10]  # the first patients' marks
    features = np.repeat(features[::2], 2, axis=0)
    scores = judge(features, targets, PATIENTS, 2, Task.MULTICLASS)
    assert 0.25 < roc_auc_score(targets, scores[:, 1]) < 0.75


@pytest.mark.parametrize("judge", JUDGES)
def test_findings_are_judged_one_by_one(judge: Judge) -> None:
    features, targets = sample(6.0)
    wanted = np.eye(2)[targets]
    wanted[::4, 1] = 1.0  # some have both
    scores = judge(features, wanted, PATIENTS, 2, Task.MULTILABEL)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert roc_auc_score(wanted[:, 0], scores[:, 0]) > 0.9


def test_neighbours_are_of_other_patients_even_when_there_are_few() -> None:
    features, targets = sample(3.0)
    few = neighbour_scores(features[:4], targets[:4], PATIENTS[:4], 2, Task.MULTICLASS)
    np.testing.assert_allclose(few, [[0, 1], [0, 1], [1, 0], [1, 0]], atol=1e-6)
