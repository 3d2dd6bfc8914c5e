"""Two models on the same images: is the difference more than chance?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.config import EvaluationSettings
from core.evaluation.intervals import Figure, percentile_limits
from core.evaluation.metrics import auroc, missing_side
from core.evaluation.sample import build_sample
from core.types import Task


def difference(
    targets: NDArray[Any],
    first: NDArray[Any],
    second: NDArray[Any],
    groups: NDArray[Any],
    classes: tuple[str, ...],
    task: Task,
    settings: EvaluationSettings,
    seed: int,
    *,
    positive: str | None = None,
) -> Figure:
    """AUROC of `first` minus AUROC of `second` on the same images, paired over the same resamples.

    Args and errors as in `figures.evaluate`; `first` and `second` are [N, C] probabilities. With
    several classes or findings it is the difference of the means over them.
    """
    samples = [
        build_sample(targets, given, groups, classes, task, {}, settings, seed, positive)
        for given in (first, second)
    ]
    here = samples[0]
    images, patients = len(here.groups), np.unique(here.groups).size
    values, drawn, smallest = [], [], patients
    for name in here.names:
        has = here.has(name)
        if reason := missing_side(has, name):
            return Figure(None, None, None, None, images, patients, reason)
        resamples = here.resamples(name)
        areas = [auroc(has, sample.scores(name)) or 0.0 for sample in samples]
        values.append(areas[0] - areas[1])
        pair = [resamples.auroc(has, sample.scores(name)) for sample in samples]
        drawn.append(pair[0] - pair[1])
        smallest = min(smallest, here.smaller_side(name))
    value = float(np.mean(values))
    limits = percentile_limits(np.mean(drawn, axis=0), smallest, settings.confidence)
    if limits is None:
        note = "interval not computable: the difference does not vary between these patients"
        return Figure(value, None, None, None, images, patients, note)
    method = "paired patient bootstrap"
    return Figure(value, *limits, None, images, patients, method=method)
