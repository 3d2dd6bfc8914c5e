"""Intervals that know that images of one patient are not independent.

Everything rests on resampling patients, never images: an image-level 95 % interval covers the
truth 66 % of the time with five images a patient (`reference/reliability.md` e).

- **The patient bootstrap** draws patients with replacement within each class (stratified), so every
  resample holds every class. Percentile limits are expanded for small samples (Hesterberg, The
  American Statistician 2015;69:371): they match Student's t instead of the normal law.
- **AUROC** uses Newcombe's score interval (Statistics in Medicine 2006;25:559, method 5) with the
  *effective* number of patients: that at which its variance equals the patient bootstrap's. Where
  this counts a patient as more than one observation, it is drawn towards one, the more so the
  fewer patients there are (`DOUBT`), because few patients tell little about their own variance.
  Plain percentiles cover 0.75 to 0.88 of the time near an AUROC of 0.95 and collapse to [1, 1] at
  1; this covers 0.92 to 0.99 with 6 to 60 patients a class and five images each, 0.90 with very
  unequal numbers of images (measured at 0.73 and 0.95; `tests/evaluation/test_intervals.py` keeps
  part of it). At 0 and 1 every patient counts once: perfect separation of 4 and 4 patients reads
  [0.58, 1].
- **Proportions** use Wilson's interval (JASA 1927;22:209) where each patient has one image, and
  otherwise Wilson's with the effective number of images (Rao and Scott, Biometrics 1992;48:577)
  and Student's t for the number of patients.
- **Averages** of these (macro AUROC, balanced accuracy) use the bootstrap's standard error on the
  logit scale; **differences** and the Brier score the expanded percentiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from core.evaluation.metrics import Bools, Floats, Ints, auroc, missing_side, weighted_auroc

Limits = tuple[float, float]

BLOCK = 4_000_000  # weights held at once: 32 MB as float64
DOUBT = 10  # patients at which half of a gain over one observation per patient is believed
ENOUGH = 0.95  # share of resamples in which a figure must exist


@dataclass(frozen=True)
class Figure:
    """One number with what is needed to believe it.

    Attributes:
        value: The figure, or None when it is not computable.
        low: Lower limit, or None.
        high: Upper limit, or None.
        numerator: Images counted (successes; for AUROC the positives), or None for averages.
        denominator: Images it rests on.
        patients: Patients those images come from.
        note: Why it is not computable, or what to bear in mind; else ``""``.
        method: How the interval was made, in a few words.
    """

    value: float | None
    low: float | None
    high: float | None
    numerator: int | None
    denominator: int
    patients: int
    note: str = ""
    method: str = ""

    def as_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return asdict(self)


class Resamples:
    """Patients drawn with replacement within strata, the same ones every time they are asked for.

    Args:
        groups: [N], the patient (or cluster of patients) of each image.
        strata: [N], the class of each image; a patient belongs to its most frequent class, of
            equally frequent ones to the rarest.
        count: Number of resamples.
        seed: Seed; equal seeds and data give equal resamples, whatever is computed from them.
    """

    def __init__(
        self, groups: NDArray[Any], strata: NDArray[Any], *, count: int, seed: Sequence[int]
    ) -> None:
        names, index = np.unique(groups, return_inverse=True)
        self.index: Ints = index
        self.patients = len(names)
        self.count = count
        self._seed = list(seed)
        self._members = _patients_by_stratum(self.index, strata, self.patients)

    def blocks(self) -> Iterator[Ints]:
        """Yield [r, P] blocks: how often each patient was drawn in each resample."""
        streams = [np.random.default_rng([*self._seed, k]) for k in range(len(self._members))]
        step = max(1, BLOCK // max(1, self.index.size))
        for start in range(0, self.count, step):
            rows = min(step, self.count - start)
            drawn = np.zeros((rows, self.patients), dtype=np.int64)
            for stream, members in zip(streams, self._members, strict=True):
                size = members.size
                picks = stream.integers(size, size=(rows, size))
                picks += np.arange(rows)[:, None] * size
                drawn[:, members] = np.bincount(picks.ravel(), minlength=rows * size).reshape(
                    rows, size
                )
            yield drawn

    def auroc(self, positive: Bools, scores: Floats) -> Floats:
        """[count] values of the AUROC over the resamples, NaN where one side was not drawn."""
        return self.apply(
            lambda drawn: weighted_auroc(positive, scores, np.take(drawn, self.index, axis=1))
        )

    def ratio(self, numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
        """[count] values of sum(numerator) / sum(denominator) over the resamples; both are [N]."""
        top = np.bincount(self.index, numerator, self.patients)
        bottom = np.bincount(self.index, denominator, self.patients)

        def quotient(drawn: Ints) -> Floats:
            below = drawn @ bottom
            empty: Floats = np.full(len(drawn), np.nan)
            np.divide(drawn @ top, below, out=empty, where=below > 0)
            return empty

        return self.apply(quotient)

    def apply(self, statistic: Callable[[Ints], Floats]) -> Floats:
        """[count] values of `statistic`, which turns a [r, P] block into [r] values."""
        return np.concatenate([statistic(drawn) for drawn in self.blocks()])


def _patients_by_stratum(index: Ints, strata: NDArray[Any], patients: int) -> list[Ints]:
    kinds, kind = np.unique(strata, return_inverse=True)
    table = np.zeros((patients, len(kinds)))
    np.add.at(table, (index, kind), 1.0)
    rarity = table.sum(axis=0) / (table.sum() + 1.0)  # below 1: only breaks ties
    home = (table - rarity).argmax(axis=1)
    return [np.flatnonzero(home == k) for k in range(len(kinds)) if (home == k).any()]


def wilson(share: float, trials: float, confidence: float, *, z: float | None = None) -> Limits:
    """Wilson's score interval.

    Args:
        share: Observed proportion in [0, 1].
        trials: Number of trials, possibly an effective one; above 0.
        confidence: Level in (0, 1).
        z: Quantile to use instead of the normal one.
    """
    z = stats.norm.ppf(0.5 + confidence / 2) if z is None else z
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + (z / trials) ** 2 / 4)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def proportion(hits: Bools, counted: Bools, groups: NDArray[Any], confidence: float) -> Figure:
    """Share of the counted images that are hits, with an interval that knows the patients.

    Args:
        hits: [N].
        counted: [N], the images in the denominator.
        groups: [N], the patient of each image.
        confidence: Level in (0, 1).
    """
    trials = int(counted.sum())
    if trials == 0:
        return Figure(None, None, None, 0, 0, 0, "not computable: no image to count")
    _, patient = np.unique(groups[counted], return_inverse=True)
    images = np.bincount(patient).astype(np.float64)
    good = np.bincount(patient, hits[counted]).astype(np.float64)
    patients, successes = images.size, int(good.sum())
    share = successes / trials
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    if patients == trials:
        low, high = wilson(share, trials, confidence)
        return Figure(share, low, high, successes, trials, patients, method="Wilson")
    effective = float(patients)
    if patients > 1:
        spread = patients / (patients - 1) * ((good - share * images) ** 2).sum() / trials**2
        if spread > 0:
            effective = float(np.clip(share * (1 - share) / spread, 1.0, trials))
        z = float(stats.t.ppf(0.5 + confidence / 2, patients - 1))
    low, high = wilson(share, effective, confidence, z=z)
    method = "Wilson, effective number of images (patients)"
    return Figure(share, low, high, successes, trials, patients, method=method)


def newcombe(area: float, positives: float, negatives: float, confidence: float) -> Limits:
    """Newcombe's score interval for an AUROC, never of zero width.

    The limits are the areas t with |area - t| = z sqrt(V(t)) and
    V(t) = t (1 - t) [1 + n (1 - t) / (2 - t) + n t / (1 + t)] / (positives * negatives),
    n = (positives + negatives) / 2 - 1 (Newcombe 2006, method 5, after Hanley and McNeil 1982).

    Args:
        area: Observed AUROC in [0, 1].
        positives: Number of independent positives, possibly an effective one.
        negatives: Number of independent negatives.
        confidence: Level in (0, 1).
    """
    z = float(stats.norm.ppf(0.5 + confidence / 2))

    def excess(t: float) -> float:
        return abs(area - t) - z * float(np.sqrt(_newcombe_variance(t, positives, negatives)))

    tiny = 1e-12  # V is 0 at both ends, so the root within is looked for strictly inside
    low = optimize.brentq(excess, tiny, max(area - tiny, 2 * tiny)) if area > 1e-6 else 0.0
    high = (
        optimize.brentq(excess, min(area + tiny, 1 - 2 * tiny), 1 - tiny)
        if area < 1 - 1e-6
        else 1.0
    )
    return float(low), float(high)


def _newcombe_variance(area: float, positives: float, negatives: float) -> float:
    n = max(0.0, (positives + negatives) / 2 - 1)
    return (
        area
        * (1 - area)
        * (1 + n * (1 - area) / (2 - area) + n * area / (1 + area))
        / (positives * negatives)
    )


def auroc_figure(
    positive: Bools,
    scores: Floats,
    groups: NDArray[Any],
    drawn: Floats,
    confidence: float,
    name: str,
) -> Figure:
    """The AUROC of `name` against the rest, with its interval; see the head of this module.

    Args:
        positive: [N].
        scores: [N], finite.
        groups: [N], the patient of each image.
        drawn: [R], this AUROC over the patient resamples (`Resamples.auroc`).
        confidence: Level in (0, 1).
        name: The class or finding, for the sentence when there is nothing to compute.
    """
    area = auroc(positive, scores)
    have, lack = (np.unique(groups[side]).size for side in (positive, ~positive))
    counts = int(positive.sum()), positive.size, np.unique(groups).size
    if area is None:
        return Figure(None, None, None, *counts, missing_side(positive, name))
    factor = 1.0
    smaller = min(have, lack)
    if 0.0 < area < 1.0 and smaller > 1:
        error = spread(drawn, smaller)
        widen = stats.t.ppf(0.5 + confidence / 2, have + lack - 2) / stats.norm.ppf(
            0.5 + confidence / 2
        )
        most = min(positive.sum() / have, (~positive).sum() / lack)
        if error > 0:
            wanted = _newcombe_variance(area, have, lack) / (error * widen) ** 2
            factor = float(np.clip(wanted, 1 / smaller, most))
            if factor > 1:
                factor = 1 + (factor - 1) * smaller / (smaller + DOUBT)
    low, high = newcombe(area, have * factor, lack * factor, confidence)
    note = "every pair is ordered rightly; the interval rests on the number of patients alone"
    method = "score interval, effective number of patients (bootstrap)"
    return Figure(area, low, high, *counts, note if area == 1.0 else "", method)


def spread(drawn: Floats, patients: int) -> float:
    """Standard error from bootstrap values, with the factor n / (n - 1) the bootstrap lacks."""
    kept = drawn[np.isfinite(drawn)]
    return float(kept.std() * np.sqrt(patients / (patients - 1))) if kept.size else 0.0


def average_limits(
    value: float, drawn: Floats, parts: Sequence[Figure], patients: int, confidence: float
) -> Limits:
    """Limits of an average of figures in [0, 1]: bootstrap standard error on the logit scale.

    Where the bootstrap sees no variation (all parts perfect), the average of the parts' own limits
    is taken, which is wide enough whatever their dependence.

    Args:
        value: The average.
        drawn: [R], the average over the resamples.
        parts: The figures averaged, each with limits.
        patients: Patients of the smallest part.
        confidence: Level in (0, 1).
    """
    error = spread(drawn, patients) if patients > 1 else 0.0
    if not 0.0 < value < 1.0 or error == 0.0:
        lows, highs = zip(*((part.low or 0.0, part.high or 0.0) for part in parts), strict=True)
        return float(np.mean(lows)), float(np.mean(highs))
    quantile = stats.t.ppf(0.5 + confidence / 2, max(1, patients - 1))
    half = quantile * error / (value * (1 - value))
    middle = np.log(value / (1 - value))
    low, high = 1 / (1 + np.exp(-np.clip([middle - half, middle + half], -700, 700)))
    return float(low), float(high)


def percentile_limits(drawn: Floats, patients: int, confidence: float) -> Limits | None:
    """Expanded percentile limits (Hesterberg 2015), or None when they would mean nothing.

    Args:
        drawn: [R], the figure over the resamples, NaN where it did not exist.
        patients: Patients in the smallest class.
        confidence: Level in (0, 1).

    Returns:
        The limits; None with fewer than two patients, without any variation, or when the figure
        existed in less than 95 % of the resamples.
    """
    kept = drawn[np.isfinite(drawn)]
    if patients < 2 or kept.size < ENOUGH * drawn.size or np.ptp(kept) == 0.0:
        return None
    tail = (1 - confidence) / 2
    quantile = np.sqrt(patients / (patients - 1)) * stats.t.ppf(tail, patients - 1)
    share = float(stats.norm.cdf(quantile))
    low, high = np.quantile(kept, [share, 1 - share])
    return float(low), float(high)
