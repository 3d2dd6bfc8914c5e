from __future__ import annotations

import json
import time

import numpy as np
import pytest

from core.config import EvaluationSettings
from core.errors import ModelError
from core.evaluation.comparison import difference
from core.evaluation.figures import Evaluation, evaluate
from core.evaluation.threshold import choose_thresholds
from core.types import Task

SETTINGS = EvaluationSettings(resamples=300)
NAMES = ("cyst", "mass", "normal", "scar")


def softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True)


def sample(classes: int, patients: int = 60, images: int = 2, seed: int = 0):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), images)
    targets = groups % classes
    logits = 1.5 * np.eye(classes)[targets] + rng.normal(size=(groups.size, classes))
    return targets, softmax(logits), np.char.add("p", groups.astype(str))


def evaluated(classes: int, **changes: object) -> Evaluation:
    targets, given, groups = sample(classes)
    names = NAMES[:classes]
    thresholds = choose_thresholds(targets, given, names, Task.MULTICLASS)
    return evaluate(
        targets, given, groups, names, Task.MULTICLASS, thresholds, SETTINGS, 0, **changes
    )


def test_two_classes_have_one_positive_class_and_consistent_counts() -> None:
    found = evaluated(2)
    assert found.positive == "mass"
    table = found.confusion[0].counts
    sensitivity, specificity = found.figures["sensitivity"], found.figures["specificity"]
    assert (sensitivity.numerator, sensitivity.denominator) == (table[1][1], sum(table[1]))
    assert (specificity.numerator, specificity.denominator) == (table[0][0], sum(table[0]))
    assert found.figures["accuracy"].numerator == table[0][0] + table[1][1]
    assert found.figures["ppv"].denominator == table[0][1] + table[1][1]
    balanced = found.figures["balanced_accuracy"].value
    assert balanced == pytest.approx((sensitivity.value + specificity.value) / 2)
    operating = found.roc[0].operating
    assert operating == pytest.approx((1 - specificity.value, sensitivity.value))


def test_the_other_class_can_be_the_positive_one() -> None:
    targets, given, groups = sample(2)
    both = [
        evaluate(targets, given, groups, NAMES[:2], Task.MULTICLASS, {}, SETTINGS, 0, positive=name)
        for name in NAMES[:2]
    ]
    assert [found.positive for found in both] == ["cyst", "mass"]
    assert both[0].figures["auroc"].value == pytest.approx(both[1].figures["auroc"].value)


def test_every_figure_carries_limits_counts_and_patients() -> None:
    for classes in (2, 4):
        for figure in evaluated(classes).figures.values():
            assert figure.value is not None
            assert figure.low is not None
            assert figure.high is not None
            assert figure.low <= figure.value <= figure.high
            assert figure.denominator > 0
            assert 0 < figure.patients <= 60
            assert figure.method


def test_several_classes_are_each_against_the_rest_with_their_mean() -> None:
    found = evaluated(4)
    single = [found.figures[f"auroc/{name}"].value for name in NAMES]
    assert found.figures["auroc"].value == pytest.approx(np.mean(single))
    assert found.positive is None
    assert len(found.roc) == 4
    assert np.sum(found.confusion[0].counts) == found.images == 120
    assert found.class_patients == dict.fromkeys(NAMES, 15)


def test_findings_are_figured_one_by_one() -> None:
    rng = np.random.default_rng(1)
    groups = np.arange(80) // 2
    targets = (rng.random((80, 3)) < (0.2, 0.5, 0.7)).astype(float)
    given = np.clip(0.4 * targets + 0.6 * rng.random((80, 3)), 0, 1)
    names = NAMES[:3]
    thresholds = choose_thresholds(targets, given, names, Task.MULTILABEL)
    found = evaluate(targets, given, groups, names, Task.MULTILABEL, thresholds, SETTINGS, 0)
    assert len(found.confusion) == len(found.roc) == len(found.calibration) == 3
    assert found.figures["npv/cyst"].value is not None
    assert "accuracy" not in found.figures
    assert found.class_images["cyst"] == int(targets[:, 0].sum())


def test_a_class_without_images_is_not_computable_and_nothing_warns() -> None:
    targets, given, groups = sample(3)
    here = targets != 2
    found = evaluate(
        targets[here], given[here], groups[here], NAMES[:3], Task.MULTICLASS,
        {"cyst": 0.3, "mass": 0.4}, SETTINGS, 0,
    )  # fmt: skip
    for key in ("auroc", "auroc/normal", "sensitivity/normal", "balanced_accuracy"):
        assert found.figures[key].value is None
        assert found.figures[key].note.startswith("not computable")
    assert found.figures["auroc/cyst"].value is not None
    assert found.figures["accuracy"].value is not None
    json.dumps(found.as_json(), allow_nan=False)


def test_one_image_only_is_survived() -> None:
    found = evaluate(
        np.array([1]), np.array([[0.2, 0.8]]), np.array(["p"]), NAMES[:2], Task.MULTICLASS,
        {"mass": 0.5}, SETTINGS, 0,
    )  # fmt: skip
    assert found.figures["auroc"].value is None
    assert found.figures["sensitivity"].low is not None
    assert found.figures["sensitivity"].low < 0.3
    json.dumps(found.as_json(), allow_nan=False)


def test_equal_seeds_give_equal_figures_and_other_seeds_other_limits() -> None:
    targets, given, groups = sample(4)
    common = (targets, given, groups, NAMES, Task.MULTICLASS, {}, SETTINGS)
    assert evaluate(*common, 3) == evaluate(*common, 3)
    assert evaluate(*common, 3).figures["auroc"] != evaluate(*common, 4).figures["auroc"]


def test_a_probability_that_is_no_number_is_refused() -> None:
    targets, given, groups = sample(2)
    given[3, 0] = np.nan
    with pytest.raises(ModelError, match=r"M60.*1 of 120"):
        evaluate(targets, given, groups, NAMES[:2], Task.MULTICLASS, {}, SETTINGS, 0)


def test_difference_is_the_difference_and_changes_sign() -> None:
    targets, given, groups = sample(4)
    _, other, _ = sample(4, seed=9)
    common = (groups, NAMES, Task.MULTICLASS, SETTINGS, 0)
    forth, back = (
        difference(targets, given, other, *common),
        difference(targets, other, given, *common),
    )
    areas = [
        evaluate(targets, each, groups, NAMES, Task.MULTICLASS, {}, SETTINGS, 0).figures["auroc"]
        for each in (given, other)
    ]
    assert forth.value == pytest.approx(areas[0].value - areas[1].value)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-9)


def test_a_model_against_itself_has_no_invented_interval() -> None:
    targets, given, groups = sample(2)
    found = difference(targets, given, given, groups, NAMES[:2], Task.MULTICLASS, SETTINGS, 0)
    assert (found.value, found.low, found.high) == (0.0, None, None)
    assert "not computable" in found.note


def test_all_figures_of_two_thousand_images_take_under_three_seconds() -> None:
    targets, given, groups = sample(2, patients=2000, images=1)
    start = time.perf_counter()
    evaluate(
        targets, given, groups, NAMES[:2], Task.MULTICLASS, {"mass": 0.5}, EvaluationSettings(), 0
    )
    assert time.perf_counter() - start < 3
