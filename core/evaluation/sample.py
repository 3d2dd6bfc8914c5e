"""One model's predictions on one split, with the patients behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.config import EvaluationSettings
from core.errors import ModelError
from core.evaluation.intervals import Resamples
from core.evaluation.metrics import Bools, Floats, positive_class
from core.evaluation.threshold import positives
from core.types import Task


@dataclass(frozen=True)
class Sample:
    """What the figures are computed from."""

    targets: NDArray[Any]
    probabilities: Floats
    groups: NDArray[Any]
    classes: tuple[str, ...]
    task: Task
    thresholds: dict[str, float]
    settings: EvaluationSettings
    seed: int
    positive: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """The classes that have figures of their own."""
        return (self.positive,) if self.positive else self.classes

    def has(self, name: str) -> Bools:
        """[N], true where the image has class or finding `name`."""
        return positives(self.targets, self.classes.index(name), self.task)

    def scores(self, name: str) -> Floats:
        """[N], the probability of `name`."""
        return self.probabilities[:, self.classes.index(name)]

    def resamples(self, name: str) -> Resamples:
        """Patients drawn within the classes; for findings, within those with and without `name`."""
        findings = self.task is Task.MULTILABEL
        strata = self.has(name) if findings else self.targets
        part = self.classes.index(name) if findings else 0
        count = self.settings.resamples
        return Resamples(self.groups, strata, count=count, seed=[self.seed, part])

    def smaller_side(self, name: str) -> int:
        """Patients with `name`, or without it, whichever are fewer."""
        has = self.has(name)
        return min(np.unique(self.groups[side]).size for side in (has, ~has))


def build_sample(
    targets: NDArray[Any],
    probabilities: NDArray[Any],
    groups: NDArray[Any],
    classes: tuple[str, ...],
    task: Task,
    thresholds: dict[str, float],
    settings: EvaluationSettings,
    seed: int,
    positive: str | None,
) -> Sample:
    """Check and gather what the figures are computed from; arguments as in `figures.evaluate`.

    Raises:
        ModelError: M60, a probability is not a number.
    """
    scores = np.asarray(probabilities, dtype=np.float64)
    broken = int((~np.isfinite(scores)).any(axis=1).sum())
    if broken:
        raise ModelError(
            "M60",
            f"The model gives no probability for {broken} of {len(scores)} images",
            todo="Train again with a lower learning rate, or in float32.",
        )
    two = task is Task.MULTICLASS and len(classes) == 2
    chosen = positive_class(classes, positive) if two else None
    return Sample(
        np.asarray(targets),
        scores,
        np.asarray(groups),
        classes,
        task,
        thresholds,
        settings,
        seed,
        chosen,
    )
