"""Whether a probability of 0.8 means eight in ten: Brier score, calibration error, temperature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from core.evaluation.intervals import proportion
from core.evaluation.metrics import Bools, Floats
from core.types import Task

MOST_BINS = 10
IMAGES_PER_BIN = 20  # fewer make a bin's share meaningless
REFERENCE_DRAWS = 400
TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class Bin:
    """Images of similar predicted probability.

    Attributes:
        predicted: Mean predicted probability in [0, 1].
        observed: Share in which it came true.
        low: Lower limit of that share.
        high: Upper limit of that share.
        images: Images in the bin.
        patients: Patients they come from.
    """

    predicted: float
    observed: float
    low: float
    high: float
    images: int
    patients: int


@dataclass(frozen=True)
class Calibration:
    """How far predicted probabilities are from observed shares.

    Attributes:
        of: What the probability is of, such as ``"malignant"`` or ``"the predicted class"``.
        error: Expected calibration error in [0, 1]: mean |predicted - observed| over bins of equal
            size, weighted by images.
        reference: The error that perfectly calibrated probabilities would show in these images.
        reference_high: Its 95th percentile; an error below it is no evidence of miscalibration.
        images: Images used.
        bins: The bins, from low to high probability.
    """

    of: str
    error: float
    reference: float
    reference_high: float
    images: int
    bins: list[Bin]


def brier_terms(
    targets: NDArray[Any], probabilities: Floats, task: Task, column: int | None = None
) -> Floats:
    """Each image's contribution to the Brier score (Brier, Monthly Weather Review 1950;78:1).

    Args:
        targets: [N] class indices or [N, C] of 0 and 1.
        probabilities: [N, C] in [0, 1].
        task: One class per image, or any number of findings.
        column: With two classes, the positive one.

    Returns:
        [N]: in [0, 1] with two classes (positive class) and for findings (mean over them), in
        [0, 2] for more classes (sum over them).
    """
    if task is Task.MULTILABEL:
        return np.asarray(((probabilities - targets) ** 2).mean(axis=1), dtype=np.float64)
    wanted = np.eye(probabilities.shape[1])[targets]
    squares = (probabilities - wanted) ** 2
    terms = squares.sum(axis=1) if column is None else squares[:, column]
    return np.asarray(terms, dtype=np.float64)


def calibration(
    happened: Bools,
    probabilities: Floats,
    groups: NDArray[Any],
    of: str,
    *,
    confidence: float,
    seed: int,
) -> Calibration | None:
    """Calibration over bins of equal size (adaptive bins; Nixon et al., CVPR workshops 2019).

    The error is biased upwards, most with few images and many bins: perfectly calibrated
    probabilities show 0.03 to 0.12 (`reference/reliability.md` e). So it is given beside what these
    very probabilities would show if they were true (consistency resampling; Bröcker and Smith,
    Weather and Forecasting 2007;22:651).

    Args:
        happened: [N], whether what was predicted came true.
        probabilities: [N] in [0, 1].
        groups: [N], the patient of each image.
        of: What the probability is of.
        confidence: Level of the bins' intervals.
        seed: Seed of the reference.

    Returns:
        The calibration, or None with fewer than `IMAGES_PER_BIN` images.
    """
    count = happened.size
    if count < IMAGES_PER_BIN:
        return None
    order = np.argsort(probabilities, kind="stable")
    edges = np.linspace(0, count, min(MOST_BINS, max(2, count // IMAGES_PER_BIN)) + 1).astype(int)
    sizes = np.diff(edges)
    sums = np.add.reduceat(probabilities[order], edges[:-1])

    def error(outcomes: NDArray[Any]) -> Floats:
        gaps = np.abs(np.add.reduceat(outcomes, edges[:-1], axis=-1) - sums)
        return np.asarray(gaps.sum(axis=-1) / count, dtype=np.float64)

    draws = np.random.default_rng([seed, 7]).random((REFERENCE_DRAWS, count))
    chance = error((draws < probabilities[order]).astype(np.float64))
    bins = []
    for k, size in enumerate(sizes):
        members = order[edges[k] : edges[k + 1]]
        share = proportion(happened[members], np.ones(size, np.bool_), groups[members], confidence)
        bins.append(
            Bin(
                float(sums[k] / size),
                share.value or 0.0,
                share.low or 0.0,
                share.high or 0.0,
                int(size),
                share.patients,
            )
        )
    return Calibration(
        of,
        float(error(happened[order].astype(np.float64))),
        float(chance.mean()),
        float(np.quantile(chance, 0.95)),
        count,
        bins,
    )


def fit_temperature(targets: NDArray[Any], probabilities: Floats, task: Task) -> float:
    """The temperature that makes the probabilities most likely (Guo et al., ICML 2017).

    To be fitted on validation only. Above 1 the probabilities were too extreme, below 1 too timid.
    Dividing by it changes no ranking within an image (several classes) or a finding.

    Args:
        targets: [N] class indices or [N, C] of 0 and 1.
        probabilities: [N, C] in [0, 1].
        task: One class per image, or any number of findings.

    Returns:
        A temperature in [0.05, 20].
    """
    safe = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-7, 1 - 1e-7)
    logits = special.logit(safe) if task is Task.MULTILABEL else np.log(safe)

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        if task is Task.MULTILABEL:
            return float(np.mean(np.logaddexp(0.0, scaled) - targets * scaled))
        picked = np.take_along_axis(scaled, targets[:, None], axis=1)[:, 0]
        return float(np.mean(special.logsumexp(scaled, axis=1) - picked))

    bounds = np.log(TEMPERATURES[0]), np.log(TEMPERATURES[1])
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded")
    return float(np.exp(found.x))
