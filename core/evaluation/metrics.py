"""Point figures: area under the ROC curve, the curve itself, counts of right and wrong.

Pure functions over arrays. What cannot be computed is `None` with a sentence that says why, never
0 and never a warning (`reference/reliability.md` e, acceptance case 70).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

NAME_LENGTH = 48
ROC_POINTS = 400  # corners kept of a curve; more cannot be seen at the size of a page


@dataclass(frozen=True)
class RocCurve:
    """Corners of a ROC curve from (0, 0) to (1, 1).

    Attributes:
        false_positive_rate: 1 - specificity at each corner, ascending in [0, 1].
        sensitivity: Sensitivity at each corner, ascending in [0, 1].
    """

    false_positive_rate: list[float]
    sensitivity: list[float]


def quoted(name: str) -> str:
    """A class's name as it stands in a sentence: in quotation marks, cut when very long."""
    return f"“{name}”" if len(name) <= NAME_LENGTH else f"“{name[: NAME_LENGTH - 1]}…”"


def missing_side(positive: Bools, name: str) -> str:
    """Why figures about `name` cannot be computed, or ``""``.

    Args:
        positive: [N], true where the image has the class or finding.
        name: The class or finding, for the sentence.
    """
    if positive.size == 0:
        return "not computable: there are no images"
    if not positive.any():
        return f"not computable: none of the {positive.size} images is {quoted(name)}"
    if positive.all():
        return f"not computable: all {positive.size} images are {quoted(name)}"
    return ""


def auroc(positive: Bools, scores: Floats) -> float | None:
    """Area under the ROC curve (Mann-Whitney; ties count one half).

    Args:
        positive: [N].
        scores: [N], higher means more likely positive; finite.

    Returns:
        A value in [0, 1], or None when one of the two sides is empty.
    """
    if not positive.any() or positive.all():
        return None
    return float(weighted_auroc(positive, scores, np.ones((1, positive.size)))[0])


def weighted_auroc(positive: Bools, scores: Floats, weights: NDArray[Any]) -> Floats:
    """Area under the ROC curve for many weightings of the same images at once.

    One sort serves every weighting: with the images in order of score, the area is the sum over
    positives of the negative weight below them plus half of that tied with them.

    Args:
        positive: [N].
        scores: [N], finite.
        weights: [R, N], how often each image counts; not negative.

    Returns:
        [R], NaN where a weighting leaves no positive or no negative weight.
    """
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    ordered = np.asarray(weights, dtype=np.float64)[:, order]
    sign = positive[order]
    above = np.add.reduceat(ordered * sign, starts, axis=1)
    below = np.add.reduceat(ordered * ~sign, starts, axis=1)
    seen = np.cumsum(below, axis=1)
    wins = (above * (seen - 0.5 * below)).sum(axis=1)
    pairs = above.sum(axis=1) * below.sum(axis=1)
    areas: Floats = np.full(len(wins), np.nan)
    np.divide(wins, pairs, out=areas, where=pairs > 0)
    return areas


def roc_curve(positive: Bools, scores: Floats) -> RocCurve | None:
    """Corners of the ROC curve, at most `ROC_POINTS` of them; None when one side is empty."""
    if not positive.any() or positive.all():
        return None
    order = np.argsort(-scores, kind="stable")
    ranked, sign = scores[order], positive[order]
    ends = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    hits = np.r_[0, np.cumsum(sign)[ends]]
    alarms = np.r_[0, np.cumsum(~sign)[ends]]
    up, right = np.diff(hits), np.diff(alarms)
    turn = (
        up[:-1] * right[1:] != up[1:] * right[:-1]
    )  # corners; what lies between is a straight line
    kept = np.flatnonzero(np.r_[True, turn, True])
    if kept.size > ROC_POINTS:
        kept = kept[np.linspace(0, kept.size - 1, ROC_POINTS).astype(int)]
    return RocCurve(
        (alarms[kept] / alarms[-1]).round(6).tolist(),
        (hits[kept] / hits[-1]).round(6).tolist(),
    )


def confusion_matrix(targets: Ints, predicted: Ints, classes: int) -> Ints:
    """Counts of images, [classes, classes]: rows are the true class, columns the predicted one."""
    flat = np.bincount(targets * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def predicted_classes(
    probabilities: Floats, classes: tuple[str, ...], thresholds: dict[str, float]
) -> Ints:
    """The class each image is given, for one class per image.

    Two classes with a threshold for exactly one of them (the positive class): positive at or above
    it. Otherwise the most probable class.

    Args:
        probabilities: [N, C] in [0, 1].
        classes: Names of the C columns.
        thresholds: Frozen threshold of each class that has one.
    """
    if len(classes) == 2 and len(thresholds) == 1:
        ((name, threshold),) = thresholds.items()
        column = classes.index(name)
        flagged = probabilities[:, column] >= threshold
        return np.where(flagged, column, 1 - column).astype(np.int64)
    top: Ints = probabilities.argmax(axis=1).astype(np.int64)
    return top


def positive_class(classes: tuple[str, ...], positive: str | None = None) -> str:
    """The positive of two classes: `positive` if given, else the second in sorted order."""
    return positive if positive in classes else sorted(classes)[1]
