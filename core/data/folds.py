"""Folds of patients, and the choice of which of them become validation and test."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from core.data.picture import Array
from core.errors import SplitError

FOLDS = (5, 10, 20, 7, 4, 3)
SHUFFLES = 8  # further seeds, derived from the first, when a rare class misses a part


def divide(
    present: Mapping[str, Array], groups: Sequence[str], shares: tuple[float, float], seed: int
) -> list[str]:
    """Part of every row: the first division with every class everywhere, else the next seed's.

    Args:
        present: For every class, which rows show it: ``[N]`` bool.
        groups: What may not be divided, for every row.
        shares: Of validation and of test; a part whose share is 0 stays empty.
        seed: Equal input and seed give the equal division.

    Raises:
        SplitError: T03, no division has every class in every part.
    """
    wanted, strata = np.array(shares), _strata(present)
    for folds in _fold_numbers(wanted, len(set(groups))):
        for number in range(seed, seed + SHUFFLES * 1_000_003, 1_000_003):
            places = _folds(strata, groups, folds, number)
            best = min(
                _choices(places, folds, wanted, present), key=lambda choice: choice[0], default=None
            )
            if best is not None:
                validation, test = best[1]
                return [
                    "test" if place in test else "validation" if place in validation else "train"
                    for place in places
                ]
    raise SplitError(
        "T03",
        "No division by patient was found that has every class in training, validation and test",
        todo="Add patients of the rare classes, or choose other shares.",
    )


def _fold_numbers(wanted: Array, groups: int) -> list[int]:
    """Numbers of folds to try: those that meet the shares best first, few before many."""

    def miss(folds: int) -> float:
        return float(np.abs(_counts(wanted, folds) / folds - wanted).sum())

    return sorted(
        (folds for folds in FOLDS if folds <= groups), key=lambda folds: round(miss(folds), 3)
    )


def _counts(wanted: Array, folds: int) -> Array:
    """Folds of validation and of test: at least one where anything is wanted."""
    return np.where(wanted > 0, np.maximum(1, np.rint(wanted * folds)), 0)


def _folds(strata: Array, groups: Sequence[str], folds: int, seed: int) -> list[int]:
    places = np.zeros(len(strata), dtype=np.int64)
    numbers, counts = np.unique(strata, return_counts=True)
    common = np.isin(strata, numbers[counts >= folds])
    coarse = np.where(common, strata, -1)  # classes rarer than the folds share one stratum
    if (coarse == -1).any() and (coarse == -1).sum() < folds:
        coarse = np.where(coarse == -1, numbers[counts.argmax()], coarse)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # rare classes: checked by `_choices`
        for fold, (_, held) in enumerate(splitter.split(coarse, coarse, groups)):
            places[held] = fold
    return [int(place) for place in places]


def _choices(
    places: list[int], folds: int, wanted: Array, present: Mapping[str, Array]
) -> Iterator[tuple[float, tuple[tuple[int, ...], tuple[int, ...]]]]:
    """Acceptable (cost, (validation folds, test folds)): every class is in every part."""
    table = np.array([np.bincount(places, shown, folds) for shown in present.values()])
    sizes = np.bincount(places, minlength=folds) / len(places)
    shares = table / table.sum(axis=1, keepdims=True)
    first, second = (int(number) for number in _counts(wanted, folds))
    if first + second >= folds:
        return
    for validation, test in _some_pairs(folds, first, second):
        rest = [fold for fold in range(folds) if fold not in validation and fold not in test]
        filled = [list(part) for part in (validation, test, rest) if part]
        if all((table[:, part].sum(axis=1) > 0).all() for part in filled):
            cost = sum(
                abs(sizes[list(part)].sum() - share)
                + np.abs(shares[:, list(part)].sum(axis=1) - share).mean()
                for part, share in ((validation, wanted[0]), (test, wanted[1]))
            )
            yield float(cost), (validation, test)


def _some_pairs(
    folds: int, first: int, second: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Disjoint runs of neighbouring folds around the circle: few, and as good as all pairs."""
    for start in range(folds):
        validation = tuple((start + step) % folds for step in range(first))
        for gap in range(folds - first - second + 1):
            begin = start + first + gap
            yield validation, tuple((begin + step) % folds for step in range(second))


def _strata(present: Mapping[str, Array]) -> Array:
    """One stratum per row: its rarest class."""
    rarest_first = sorted(present.values(), key=lambda shown: int(shown.sum()))
    strata = np.full(len(rarest_first[0]), -1)
    for code, shown in enumerate(rarest_first):
        strata[shown & (strata < 0)] = code
    return strata
