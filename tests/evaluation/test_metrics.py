from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as reference_matrix
from sklearn.metrics import roc_auc_score

from core.evaluation.calibration import brier_terms, calibration, fit_temperature
from core.evaluation.metrics import (
    auroc,
    confusion_matrix,
    missing_side,
    predicted_classes,
    roc_curve,
    weighted_auroc,
)
from core.evaluation.threshold import choose_thresholds, youden_threshold
from core.types import Task


def test_auroc_agrees_with_scikit_learn_with_and_without_ties() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(300) < 0.3
    for scores in (rng.random(300), rng.integers(0, 5, 300).astype(float)):
        assert auroc(positive, scores) == pytest.approx(roc_auc_score(positive, scores))


def test_weighted_auroc_equals_repeating_the_images() -> None:
    rng = np.random.default_rng(1)
    positive, scores = rng.random(40) < 0.5, rng.integers(0, 9, 40).astype(float)
    weights = rng.integers(0, 4, (3, 40))
    for row, value in zip(weights, weighted_auroc(positive, scores, weights), strict=True):
        again = np.repeat(np.arange(40), row)
        assert value == pytest.approx(roc_auc_score(positive[again], scores[again]))


def test_auroc_of_one_class_is_not_computable_and_says_why() -> None:
    nobody = np.zeros(5, bool)
    assert auroc(nobody, np.arange(5.0)) is None
    assert roc_curve(~nobody, np.arange(5.0)) is None
    assert missing_side(nobody, "tumour") == ("not computable: none of the 5 images is “tumour”")
    assert "all 5 images" in missing_side(~nobody, "tumour")
    assert "no images" in missing_side(nobody[:0], "tumour")


def test_roc_curve_keeps_the_area_while_dropping_straight_points() -> None:
    rng = np.random.default_rng(2)
    positive, scores = rng.random(200) < 0.5, rng.random(200).round(2)
    curve = roc_curve(positive, scores)
    assert curve is not None
    area = np.trapezoid(curve.sensitivity, curve.false_positive_rate)
    assert area == pytest.approx(roc_auc_score(positive, scores), abs=1e-5)
    assert (curve.false_positive_rate[0], curve.sensitivity[-1]) == (0.0, 1.0)
    perfect = roc_curve(np.array([False, False, True, True]), np.arange(4.0))
    assert perfect is not None
    assert perfect.sensitivity == [0.0, 1.0, 1.0]


def test_confusion_matrix_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    targets, predicted = rng.integers(0, 3, (2, 90))
    assert (confusion_matrix(targets, predicted, 3) == reference_matrix(targets, predicted)).all()


def test_two_classes_follow_the_threshold_and_more_the_highest_probability() -> None:
    given = np.array([[0.7, 0.3], [0.5, 0.5], [0.8, 0.2]])
    assert predicted_classes(given, ("a", "b"), {"b": 0.3}).tolist() == [1, 1, 0]
    assert predicted_classes(given, ("a", "b"), {"a": 0.75}).tolist() == [1, 1, 0]
    assert predicted_classes(given, ("a", "b"), {}).tolist() == [0, 0, 0]


def test_youden_lies_between_the_classes_and_needs_both() -> None:
    positive = np.array([False, False, True, True])
    assert youden_threshold(positive, np.array([0.1, 0.2, 0.6, 0.9])) == pytest.approx(0.4)
    assert youden_threshold(positive, np.full(4, 0.5)) == 0.5
    assert youden_threshold(np.zeros(4, bool), np.arange(4.0)) is None


def test_thresholds_are_for_the_second_class_or_each_class_or_each_finding() -> None:
    rng = np.random.default_rng(4)
    given = rng.dirichlet(np.ones(3), 60)
    two = given[:, :2] / given[:, :2].sum(axis=1, keepdims=True)
    targets = rng.integers(0, 2, 60)
    assert list(choose_thresholds(targets, two, ("b", "a"), Task.MULTICLASS)) == ["b"]
    assert list(choose_thresholds(targets, two, ("b", "a"), Task.MULTICLASS, positive="a")) == ["a"]
    names = ("x", "y", "z")
    assert list(choose_thresholds(targets, given, names, Task.MULTICLASS)) == ["x", "y"]
    findings = np.stack([targets, 1 - targets, np.zeros(60)], axis=1)
    assert list(choose_thresholds(findings, given, names, Task.MULTILABEL)) == ["x", "y"]


def test_brier_score_of_known_cases() -> None:
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])
    right, wrong = np.array([0, 1]), np.array([1, 0])
    assert brier_terms(right, sure, Task.MULTICLASS, 1).tolist() == [0.0, 0.0]
    assert brier_terms(wrong, sure, Task.MULTICLASS, 1).tolist() == [1.0, 1.0]
    assert brier_terms(wrong, sure, Task.MULTICLASS).tolist() == [2.0, 2.0]
    assert brier_terms(np.eye(2), 1 - sure, Task.MULTILABEL).tolist() == [1.0, 1.0]


def test_calibration_tells_honest_probabilities_from_bold_ones() -> None:
    rng = np.random.default_rng(5)
    honest = rng.random(600)
    happened = rng.random(600) < honest
    groups = np.arange(600)
    good = calibration(happened, honest, groups, "x", confidence=0.95, seed=0)
    bold = np.clip((honest - 0.5) * 3 + 0.5, 0.01, 0.99)
    bad = calibration(happened, bold, groups, "x", confidence=0.95, seed=0)
    assert good is not None
    assert bad is not None
    assert good.error < good.reference_high
    assert bad.error > 2 * bad.reference_high
    assert sum(each.images for each in good.bins) == good.images == 600
    assert all(each.low <= each.observed <= each.high for each in good.bins)
    assert calibration(happened[:10], honest[:10], groups[:10], "x", confidence=0.9, seed=0) is None


@pytest.mark.parametrize("task", list(Task))
def test_temperature_undoes_a_known_one(task: Task) -> None:
    rng = np.random.default_rng(6)
    logits = rng.normal(size=(4000, 3)) * 1.5
    true = 1 / (1 + np.exp(-logits))
    if task is Task.MULTILABEL:
        targets = (rng.random((4000, 3)) < true).astype(float)
        sharpened = 1 / (1 + np.exp(-2.5 * logits))
    else:
        odds = np.exp(logits)
        odds /= odds.sum(axis=1, keepdims=True)
        targets = (rng.random((4000, 1)) > odds.cumsum(axis=1)).sum(axis=1)
        sharpened = odds**2.5 / (odds**2.5).sum(axis=1, keepdims=True)
    assert fit_temperature(targets, sharpened, task) == pytest.approx(2.5, rel=0.08)
