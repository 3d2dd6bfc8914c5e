"""All figures of one model on one split, ready to be written as JSON.

Keys of `Evaluation.figures`: ``auroc``, ``balanced_accuracy``, ``accuracy``, ``brier`` and, with
two classes, ``sensitivity``, ``specificity``, ``ppv``, ``npv`` of the positive class; with more
classes or with findings ``auroc/<class>``, ``sensitivity/<class>`` and so on, each class against
the rest, and ``auroc`` is their mean.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.config import EvaluationSettings
from core.evaluation.calibration import Calibration, brier_terms, calibration
from core.evaluation.intervals import (
    Figure,
    auroc_figure,
    average_limits,
    percentile_limits,
    proportion,
)
from core.evaluation.metrics import (
    Bools,
    Floats,
    confusion_matrix,
    predicted_classes,
    quoted,
    roc_curve,
)
from core.evaluation.sample import Sample, build_sample
from core.evaluation.threshold import positives
from core.types import Task


@dataclass(frozen=True)
class Roc:
    """A class's ROC curve; the operating point is absent where no threshold could be chosen."""

    name: str
    false_positive_rate: list[float]
    sensitivity: list[float]
    operating: tuple[float, float] | None


@dataclass(frozen=True)
class Confusion:
    """Counts of images: rows the true class, columns the predicted one."""

    title: str
    labels: list[str]
    counts: list[list[int]]
    rule: str


@dataclass(frozen=True)
class Evaluation:
    """The figures of one model on one split; `as_json` is what stands in the run directory."""

    task: str
    classes: list[str]
    positive: str | None
    images: int
    patients: int
    class_images: dict[str, int]
    class_patients: dict[str, int]
    confidence: float
    resamples: int
    seed: int
    thresholds: dict[str, float]
    figures: dict[str, Figure]
    roc: list[Roc]
    confusion: list[Confusion]
    calibration: list[Calibration]

    def as_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, strings and finite numbers."""
        return asdict(self)


def evaluate(
    targets: NDArray[Any],
    probabilities: NDArray[Any],
    groups: NDArray[Any],
    classes: tuple[str, ...],
    task: Task,
    thresholds: dict[str, float],
    settings: EvaluationSettings,
    seed: int,
    *,
    positive: str | None = None,
) -> Evaluation:
    """Compute every figure of a model on one split.

    Args:
        targets: [N] class indices (int), or [N, C] of 0 and 1 for findings.
        probabilities: [N, C] in [0, 1].
        groups: [N] patient keys; what may not be divided counts as one.
        classes: Names of the C columns.
        task: One class per image, or any number of findings.
        thresholds: Frozen operating points from `threshold.choose_thresholds`.
        settings: Number of resamples and level of the intervals.
        seed: Seed of the resamples; the same for two models makes their intervals comparable.
        positive: With two classes, the positive one; by default the second in sorted order.

    Raises:
        ModelError: M60, a probability is not a number.
    """
    sample = build_sample(
        targets, probabilities, groups, classes, task, thresholds, settings, seed, positive
    )
    figures = _aurocs(sample) | _operating_figures(sample) | _overall(sample)
    has = {name: positives(sample.targets, k, task) for k, name in enumerate(classes)}
    return Evaluation(
        task=str(task),
        classes=list(classes),
        positive=sample.positive,
        images=len(sample.groups),
        patients=np.unique(sample.groups).size,
        class_images={name: int(has[name].sum()) for name in classes},
        class_patients={name: np.unique(sample.groups[has[name]]).size for name in classes},
        confidence=settings.confidence,
        resamples=settings.resamples,
        seed=seed,
        thresholds=dict(thresholds),
        figures=figures,
        roc=[curve for name in sample.names if (curve := _roc(sample, name))],
        confusion=_confusions(sample),
        calibration=_calibrations(sample),
    )


def auroc_figures(
    targets: NDArray[Any],
    probabilities: NDArray[Any],
    groups: NDArray[Any],
    classes: tuple[str, ...],
    task: Task,
    settings: EvaluationSettings,
    seed: int,
) -> dict[str, Figure]:
    """The figures ``auroc`` and ``auroc/<class>`` alone; arguments and errors as in `evaluate`."""
    return _aurocs(
        build_sample(targets, probabilities, groups, classes, task, {}, settings, seed, None)
    )


def _aurocs(sample: Sample) -> dict[str, Figure]:
    level = sample.settings.confidence
    single, drawn = {}, []
    for name in sample.names:
        has, scores = sample.has(name), sample.scores(name)
        drawn.append(sample.resamples(name).auroc(has, scores))
        single[name] = auroc_figure(has, scores, sample.groups, drawn[-1], level, name)
    if sample.positive:
        return {"auroc": single[sample.positive]}
    return {"auroc": _mean_figure(sample, single, np.mean(drawn, axis=0))} | {
        f"auroc/{name}": figure for name, figure in single.items()
    }


def _mean_figure(sample: Sample, parts: dict[str, Figure], drawn: Floats) -> Figure:
    """Mean over classes; computable only when every class is."""
    counts = len(sample.groups), np.unique(sample.groups).size
    missing = [figure.note for figure in parts.values() if figure.value is None]
    if missing:
        return Figure(None, None, None, None, *counts, missing[0])
    value = float(np.mean([figure.value for figure in parts.values()]))
    smallest = min(sample.smaller_side(name) for name in sample.names)
    limits = average_limits(
        value, drawn, list(parts.values()), smallest, sample.settings.confidence
    )
    return Figure(value, *limits, None, *counts, method="patient bootstrap, logit scale")


def _operating_figures(sample: Sample) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for name in sample.names:
        has = sample.has(name)
        suffix = "" if sample.positive else f"/{name}"
        threshold = sample.thresholds.get(name)
        if threshold is None:
            reason = f"not computable: validation could not set a threshold for {quoted(name)}"
            empty = Figure(None, None, None, None, 0, 0, reason)
            figures |= {f"{kind}{suffix}": empty for kind in ("sensitivity", "specificity")}
            continue
        flagged = sample.scores(name) >= threshold
        figures[f"sensitivity{suffix}"] = _share(sample, flagged, has, f"is {quoted(name)}")
        figures[f"specificity{suffix}"] = _share(sample, ~flagged, ~has, f"is not {quoted(name)}")
        if sample.positive or sample.task is Task.MULTILABEL:
            figures[f"ppv{suffix}"] = _share(sample, has, flagged, f"was called {quoted(name)}")
            figures[f"npv{suffix}"] = _share(
                sample, ~has, ~flagged, f"was called not {quoted(name)}"
            )
    return figures


def _share(sample: Sample, hits: Bools, counted: Bools, what: str) -> Figure:
    figure = proportion(hits & counted, counted, sample.groups, sample.settings.confidence)
    if figure.value is None:
        return replace(figure, note=f"not computable: no image {what}")
    return figure


def _overall(sample: Sample) -> dict[str, Figure]:
    figures = {"balanced_accuracy": _balanced_accuracy(sample)}
    everyone = np.ones(len(sample.groups), dtype=np.bool_)
    if sample.task is Task.MULTICLASS:
        right = sample.targets == predicted_classes(
            sample.probabilities, sample.classes, sample.thresholds
        )
        figures["accuracy"] = proportion(right, everyone, sample.groups, sample.settings.confidence)
    column = sample.classes.index(sample.positive) if sample.positive else None
    terms = brier_terms(sample.targets, sample.probabilities, sample.task, column)
    drawn = sample.resamples(sample.classes[0]).ratio(terms, everyone)
    patients = np.unique(sample.groups).size
    low, high = percentile_limits(drawn, patients, sample.settings.confidence) or (None, None)
    note = "" if low is not None else "interval not computable: too few patients"
    mean = float(terms.mean()) if terms.size else None
    method = "patient bootstrap, expanded percentiles"
    figures["brier"] = Figure(mean, low, high, None, terms.size, patients, note, method)
    return figures


def _balanced_accuracy(sample: Sample) -> Figure:
    """Mean recall over the classes; for findings the mean of sensitivity and specificity."""
    pairs: list[tuple[str, Bools, Bools]] = []  # what it counts, hits, counted
    if sample.task is Task.MULTICLASS:
        predicted = predicted_classes(sample.probabilities, sample.classes, sample.thresholds)
        for column, name in enumerate(sample.classes):
            pairs.append((name, predicted == column, sample.targets == column))
    else:
        for name in sample.names:
            flagged = sample.scores(name) >= sample.thresholds.get(name, 0.5)
            pairs += [(name, flagged, sample.has(name)), (name, ~flagged, ~sample.has(name))]
    parts = [_share(sample, hits, counted, f"is {quoted(name)}") for name, hits, counted in pairs]
    counts = len(sample.groups), np.unique(sample.groups).size
    missing = [part.note for part in parts if part.value is None]
    if missing:
        return Figure(None, None, None, None, *counts, missing[0])
    drawn = [sample.resamples(name).ratio(hits & counted, counted) for name, hits, counted in pairs]
    value = float(np.mean([part.value for part in parts]))
    smallest = min(part.patients for part in parts)
    level = sample.settings.confidence
    limits = average_limits(value, np.mean(drawn, axis=0), parts, smallest, level)
    return Figure(value, *limits, None, *counts, method="patient bootstrap, logit scale")


def _roc(sample: Sample, name: str) -> Roc | None:
    has, scores = sample.has(name), sample.scores(name)
    curve = roc_curve(has, scores)
    if curve is None:
        return None
    threshold = sample.thresholds.get(name)
    point = None
    if threshold is not None:
        flagged = scores >= threshold
        point = float(flagged[~has].mean()), float(flagged[has].mean())
    return Roc(name, curve.false_positive_rate, curve.sensitivity, point)


def _confusions(sample: Sample) -> list[Confusion]:
    if sample.task is Task.MULTICLASS:
        predicted = predicted_classes(sample.probabilities, sample.classes, sample.thresholds)
        counts = confusion_matrix(sample.targets, predicted, len(sample.classes))
        rule = "The most probable class is predicted."
        if sample.positive and sample.positive in sample.thresholds:
            threshold = sample.thresholds[sample.positive]
            rule = f"The positive class is predicted from a probability of {threshold:.3f} on."
        return [Confusion("All classes", list(sample.classes), counts.tolist(), rule)]
    tables = []
    for name in sample.names:
        if name not in sample.thresholds:
            continue
        flagged = (sample.scores(name) >= sample.thresholds[name]).astype(np.int64)
        counts = confusion_matrix(sample.has(name).astype(np.int64), flagged, 2)
        rule = f"Predicted from a probability of {sample.thresholds[name]:.3f} on."
        tables.append(Confusion(name, ["absent", "present"], counts.tolist(), rule))
    return tables


def _calibrations(sample: Sample) -> list[Calibration]:
    level, seed = sample.settings.confidence, sample.seed
    if sample.task is Task.MULTICLASS and not sample.positive:
        top = sample.probabilities.argmax(axis=1)
        happened = top == sample.targets
        claims = [("the predicted class", happened, sample.probabilities.max(axis=1))]
    else:
        claims = [(name, sample.has(name), sample.scores(name)) for name in sample.names]
    made = [
        calibration(happened, scores, sample.groups, of, confidence=level, seed=seed)
        for of, happened, scores in claims
    ]
    return [one for one in made if one is not None]
