"""The linear probe finds what is there, and nothing where there is nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.teachers.probe import LinearProbe, fit_probe
from core.types import Task


def sample(classes: int, signal: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two views of 60 images of 30 patients, 10 features of which the first few tell the class."""
    generator = np.random.default_rng(0)
    targets = np.repeat(np.arange(30) % classes, 2)
    features = generator.normal(size=(2, 60, 10))
    features[:, np.arange(60), targets] += signal
    return features.astype(np.float32), targets, np.repeat(np.arange(30), 2).astype(str)


@pytest.mark.parametrize("classes", [2, 3])
def test_separable_classes_are_separated(classes: int) -> None:
    features, targets, groups = sample(classes, 5.0)
    probe = fit_probe(features, targets, groups, classes, Task.MULTICLASS)
    scores = probe.probabilities(features[0])
    assert probe.cross_validated > 0.98
    assert (scores.argmax(1) == targets).mean() > 0.95
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-6)


def test_no_signal_gives_no_figure_worth_having() -> None:
    features, targets, groups = sample(2, 0.0)
    probe = fit_probe(features, targets, groups, 2, Task.MULTICLASS)
    assert probe.cross_validated < 0.72  # the best of four strengths on 30 patients


def test_findings_are_independent() -> None:
    features, targets, groups = sample(3, 5.0)
    wanted = np.eye(3, dtype=np.float32)[targets]
    wanted[:, 2] = 1  # a finding everybody has cannot be learned, but must not break the rest
    probe = fit_probe(features, wanted, groups, 3, Task.MULTILABEL)
    scores = probe.probabilities(features[0])
    assert ((scores[:, 0] > 0.5) == (wanted[:, 0] > 0)).mean() > 0.95
    assert (scores[:, 2] > 0.99).all()


def test_a_class_that_training_lacks_gets_a_low_probability() -> None:
    features, targets, groups = sample(2, 5.0)
    probe = fit_probe(features, targets, groups, 3, Task.MULTICLASS)
    assert probe.probabilities(features[0])[:, 2].max() < 0.01


def test_a_class_of_one_patient_does_not_stop_it() -> None:
    features, _, groups = sample(2, 5.0)
    targets = np.zeros(60, dtype=np.int64)
    targets[:2] = 1
    probe = fit_probe(features, targets, groups, 2, Task.MULTICLASS)
    assert np.isfinite(probe.probabilities(features[0])).all()


def test_saved_and_read_back(tmp_path: Path) -> None:
    features, targets, groups = sample(2, 1.0)
    probe = fit_probe(features, targets, groups, 2, Task.MULTICLASS)
    probe.save(tmp_path / "probe.safetensors")
    again = LinearProbe.load(tmp_path / "probe.safetensors", Task.MULTICLASS)
    np.testing.assert_array_equal(
        again.probabilities(features[0]), probe.probabilities(features[0])
    )
