"""Operating points: chosen on validation, frozen, then applied to everything else.

The threshold maximises Youden's J = sensitivity + specificity - 1 (Youden, Cancer 1950;3:32).
Choosing it on the images it is then judged by flatters it: a threshold for a sensitivity of 0.90
picked from 20 positives gave 0.72 to 0.95 on new images (`reference/reliability.md` e). Hence
validation only, and the report says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation.metrics import Bools, Floats, positive_class
from core.types import Task


def youden_threshold(positive: Bools, scores: Floats) -> float | None:
    """The score from which on an image counts as positive.

    Candidates lie halfway between neighbouring scores, so that images like those seen fall clearly
    on one side. Of several best ones the middle one is taken, which is the least extreme choice.

    Args:
        positive: [N].
        scores: [N] in [0, 1].

    Returns:
        A threshold in [0, 1], or None when there are no positives or no negatives.
    """
    if not positive.any() or positive.all():
        return None
    values, where = np.unique(scores, return_inverse=True)
    if values.size == 1:
        return float(values[0])
    hits = np.bincount(where, weights=positive, minlength=values.size)
    alarms = np.bincount(where, weights=~positive, minlength=values.size)
    gain = hits[::-1].cumsum()[::-1] / hits.sum() - alarms[::-1].cumsum()[::-1] / alarms.sum()
    best = np.flatnonzero(np.isclose(gain[1:], gain[1:].max(), rtol=0, atol=1e-12)) + 1
    chosen = int(best[best.size // 2])
    return float((values[chosen - 1] + values[chosen]) / 2)


def choose_thresholds(
    targets: NDArray[Any],
    probabilities: Floats,
    classes: tuple[str, ...],
    task: Task,
    *,
    positive: str | None = None,
) -> dict[str, float]:
    """Thresholds from the validation split, to be frozen.

    Args:
        targets: [N] class indices, or [N, C] of 0 and 1 for several findings per image.
        probabilities: [N, C] in [0, 1].
        classes: Names of the C columns.
        task: One class per image, or any number of findings.
        positive: With two classes, the positive one; by default the second in sorted order.

    Returns:
        A threshold for the positive class (two classes), or for each class against the rest, or
        for each finding. What validation cannot decide, because a side is empty, is left out.
    """
    names: tuple[str, ...] = classes
    if task is Task.MULTICLASS and len(classes) == 2:
        names = (positive_class(classes, positive),)
    found = {}
    for name in names:
        column = classes.index(name)
        has = positives(targets, column, task)
        threshold = youden_threshold(has, np.asarray(probabilities, dtype=np.float64)[:, column])
        if threshold is not None:
            found[name] = threshold
    return found


def positives(targets: NDArray[Any], column: int, task: Task) -> Bools:
    """[N], true where the image has the class or finding of `column`."""
    chosen = targets == column if task is Task.MULTICLASS else targets[:, column] > 0.5
    return np.asarray(chosen, dtype=np.bool_)
