"""Comparing two methods over several seeds on the same test images.

Two things vary besides the methods: which patients (here: clusters of images) are in the test set,
and the seed, which draws training images, initial weights and order. Both are resampled, each on
its own (Owen, The pigeonhole bootstrap, Annals of Applied Statistics 2007;1:386), and the draws of
both are widened by sqrt(n / (n - 1)), which a bootstrap of n units lacks. Percentiles are expanded
(Hesterberg, The American Statistician 2015;69:371) to Student's t with Satterthwaite's degrees of
freedom, between those of the seeds and those of the clusters, whichever carry the variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from core.evaluation.intervals import Resamples
from core.evaluation.metrics import Floats, Ints, auroc


@dataclass(frozen=True)
class Areas:
    """Macro AUROC of one method, one value for each seed.

    Attributes:
        values: ``[S]`` on the test images as they are.
        drawn: ``[R, S]`` over resamples of the clusters, the same ones for every method.
        clusters: Of the class with the fewest.
    """

    values: Floats
    drawn: Floats
    clusters: int


@dataclass(frozen=True)
class Contrast:
    """The mean difference of two methods over the seeds.

    Attributes:
        value: Mean of first minus second.
        low: Lower limit; None with fewer than two seeds, as all below.
        high: Upper limit.
        p: Two-sided, of no difference.
        seeds: How many.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    seeds: int


def macro_auroc(targets: Ints, scores: Floats) -> float | None:
    """Mean AUROC of the classes against the rest; None where a class, or all but it, is missing.

    Args:
        targets: ``[N]`` class indices.
        scores: ``[N, C]``, finite.
    """
    areas = [auroc(targets == place, scores[:, place]) for place in range(scores.shape[1])]
    there = [area for area in areas if area is not None]
    return float(np.mean(there)) if there and len(there) == len(areas) else None


def areas_over_seeds(
    targets: Ints, scores: Floats, clusters: NDArray[Any], *, resamples: int, seed: int
) -> Areas:
    """The macro AUROC for every seed, with its values over resamples of the clusters.

    Args:
        targets: ``[N]`` class indices; every class occurs.
        scores: ``[S, N, C]`` probabilities, one ``[N, C]`` for each seed.
        clusters: ``[N]``, what may not be divided.
        resamples: R.
        seed: Equal seeds draw equal resamples, whichever method is looked at.
    """
    drawn = Resamples(clusters, targets, count=resamples, seed=[seed])
    classes = range(scores.shape[2])
    areas = np.stack(
        [
            np.mean([drawn.auroc(targets == place, one[:, place]) for place in classes], axis=0)
            for one in scores
        ],
        axis=1,
    )
    fewest = min(np.unique(clusters[targets == place]).size for place in classes)
    return Areas(np.array([macro_auroc(targets, one) for one in scores]), areas, fewest)


def contrast(first: Areas, second: Areas, *, confidence: float, seed: int) -> Contrast:
    """First minus second, paired by seed and by resample.

    Args:
        first: Of one method.
        second: Of another, for the same seeds in the same order.
        confidence: Level in (0, 1).
        seed: Of the resamples of the seeds.
    """
    differences, drawn = first.values - second.values, first.drawn - second.drawn
    value, seeds, clusters = float(differences.mean()), len(differences), first.clusters
    if seeds < 2 or clusters < 2:
        return Contrast(value, None, None, None, seeds)
    picks = np.random.default_rng(seed).integers(seeds, size=drawn.shape)
    across = drawn.mean(axis=1)
    between = np.take_along_axis(drawn, picks, axis=1).mean(axis=1) - across
    spread = (across - value) * _widen(clusters) + between * _widen(seeds)
    parts = np.array([across.var() * _widen(clusters) ** 2, differences.var(ddof=1) / seeds])
    error = float(spread.std())
    if error == 0.0:
        return Contrast(value, value, value, 1.0 if value == 0.0 else 0.0, seeds)
    freedom = float(parts.sum() ** 2 / (parts**2 / [clusters - 1, seeds - 1]).sum())
    share = float(stats.norm.cdf(stats.t.ppf((1 - confidence) / 2, freedom)))
    low, high = np.quantile(value + spread, [share, 1 - share])
    p = float(2 * stats.t.sf(abs(value) / error, freedom))
    return Contrast(value, float(low), float(high), p, seeds)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction (Scandinavian Journal of Statistics 1979;6:65).

    Args:
        p_values: Of all comparisons that were declared. One that has not been made yet is None and
            counts as one, so that the correction does not grow weaker by stopping early.

    Returns:
        Adjusted values in [0, 1] in the same order; None stays None.
    """
    order = sorted(range(len(p_values)), key=lambda place: _or_one(p_values[place]))
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * _or_one(p_values[place])))
        adjusted[place] = None if p_values[place] is None else largest
    return adjusted


def _or_one(p_value: float | None) -> float:
    return 1.0 if p_value is None else p_value


def _widen(units: int) -> float:
    return float(np.sqrt(units / (units - 1)))
