"""Dividing patients into training, validation and test.

No patient, no file or picture that occurs twice, and no cluster of pictures that look the same is
divided. Folds come from scikit-learn's `StratifiedGroupKFold`; which of them become test and
validation is chosen so that every class is in every part and the shares are met best.
"""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from core.config import SplitSettings
from core.data.checks import identical_images, join, near_duplicates
from core.data.picture import Array
from core.errors import SplitError
from core.files import sha256_json
from core.types import SplitName, Task

PARTS = tuple(part.value for part in SplitName)
FOLDS = (5, 10, 20, 7, 4, 3)
SHUFFLES = 8  # further seeds, derived from the first, when a rare class misses a part
LARGE_CLUSTER = 20


@dataclass(frozen=True)
class Split:
    """A division of the patients.

    Attributes:
        assignment: Image id to ``"train"``, ``"validation"`` or ``"test"``.
        groups: Image id to what may not be divided: patients joined with clusters of duplicates.
        sha256: Hash of the assignment.
        sentence: The division in plain words.
        notes: What the user should know about it.
    """

    assignment: Mapping[str, str]
    groups: Mapping[str, str]
    sha256: str
    sentence: str
    notes: tuple[str, ...]

    def applied(self, images: pd.DataFrame) -> pd.DataFrame:
        """A copy of the manifest with `split` and `group` filled; unusable images have neither."""
        return images.assign(
            split=images["image"].map(self.assignment).fillna("").astype("str"),
            group=images["image"].map(self.groups).fillna("").astype("str"),
        )


def split_images(images: pd.DataFrame, task: Task, settings: SplitSettings) -> Split:
    """Divide the usable images of a manifest by patient.

    Args:
        images: The manifest.
        task: One class per image, or findings.
        settings: Shares and seed. Equal input and seed give the equal split.

    Raises:
        SplitError: T01 a single class, T02 a class with fewer than three patients, T03 no division
            found that has every class in every part.
    """
    usable = images[images["code"] == ""].sort_values("image").reset_index(drop=True)
    groups, notes = _groups(usable)
    present = _presence(usable, task)
    _check_classes(present, groups)
    parts = _divide(_strata(present), present, groups, settings)
    ids = usable["image"].tolist()
    assignment = dict(zip(ids, parts, strict=True))
    counts = {part: parts.count(part) for part in PARTS}
    patients = {
        part: usable["patient"][[name == part for name in parts]].nunique() for part in PARTS
    }
    return Split(
        assignment=assignment,
        groups=dict(zip(ids, groups, strict=True)),
        sha256=sha256_json(sorted(assignment.items())),
        sentence=_sentence(counts, patients, settings),
        notes=tuple(notes),
    )


def check_split(images: pd.DataFrame) -> None:
    """Verify a manifest's split, whoever made it.

    Raises:
        SplitError: T04, a patient, a group or an identical picture is in two parts; T05, a usable
            image is in no part.
    """
    usable = images[images["code"] == ""].reset_index(drop=True)
    if not usable["split"].isin(PARTS).all():
        raise SplitError("T05", "An image is in no part of the split", todo="Split again.")
    for column, what in (("patient", "patient"), ("group", "group of like images")):
        parts = usable[usable[column] != ""].groupby(column)["split"].nunique()
        if (parts > 1).any():
            raise _divided(what, int((parts > 1).sum()))
    split = usable["split"].tolist()
    copies = [
        group for group in identical_images(usable) if len({split[place] for place in group}) > 1
    ]
    if copies:
        raise _divided("picture", len(copies))


def _divided(what: str, count: int) -> SplitError:
    return SplitError(
        "T04",
        f"{count} times one {what} is in two parts of the split",
        todo="Split again by patient.",
    )


def _groups(usable: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Group of every row, named by its first patient, and notes on what was joined."""
    first: dict[str, int] = {}
    patients = [
        (first.setdefault(patient, place), place) for place, patient in enumerate(usable["patient"])
    ]
    copies = [(group[0], other) for group in identical_images(usable) for other in group[1:]]
    near = near_duplicates(usable["phash"].tolist())
    leaders = join(len(usable), itertools.chain(patients, copies, near))
    names = usable["patient"].tolist()
    notes = []
    like = Counter(join(len(usable), itertools.chain(copies, near)))
    clusters = [size for size in like.values() if size > 1]
    if clusters:
        notes.append(
            f"{sum(clusters)} images look the same as another ({len(clusters)} clusters, the "
            f"largest of {max(clusters)}); each cluster stays in one part."
        )
    if clusters and max(clusters) > max(LARGE_CLUSTER, len(usable) // 20):
        notes.append(
            "The largest cluster is unusually large: the images differ little, or the comparison "
            "is too coarse for them; shares may be missed."
        )
    return [names[leader] for leader in leaders], notes


def _presence(usable: pd.DataFrame, task: Task) -> dict[str, Array]:
    """For every class, and for multilabel every absence, which rows show it: ``[N]`` bool.

    Without images that lack a finding its figures could not be computed, so absence is required in
    every part as presence is.
    """
    labels = [set(names) for names in usable["labels"]]
    classes = sorted(set().union(*labels))
    present = {name: np.array([name in names for names in labels], dtype=bool) for name in classes}
    if task is Task.MULTILABEL:
        present |= {f"no {name}": ~shown for name, shown in list(present.items())}
    return present


def _check_classes(present: Mapping[str, Array], groups: list[str]) -> None:
    if len(present) < 2:
        raise SplitError(
            "T01", "All usable images carry the same label", todo="Add images of another class."
        )
    names = np.array(groups)
    for name, shown in present.items():
        patients = len(set(names[shown]))
        if patients < 3:
            raise SplitError(
                "T02",
                f"A class has only {patients} independent patients and needs at least 3",
                item=name,
                todo="Add patients, or leave the class out.",
            )


def _strata(present: Mapping[str, Array]) -> Array:
    """One stratum per row: its rarest class."""
    rarest_first = sorted(present.values(), key=lambda shown: int(shown.sum()))
    strata = np.full(len(rarest_first[0]), -1)
    for code, shown in enumerate(rarest_first):
        strata[shown & (strata < 0)] = code
    return strata


def _divide(
    strata: Array, present: Mapping[str, Array], groups: list[str], settings: SplitSettings
) -> list[str]:
    """Part of every row: the first division with every class everywhere, else the next seed's."""
    wanted = np.array([settings.validation, settings.test])
    for folds in _fold_numbers(wanted, len(set(groups))):
        for seed in range(settings.seed, settings.seed + SHUFFLES * 1_000_003, 1_000_003):
            places = _folds(strata, groups, folds, seed)
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
        return float(np.abs(np.maximum(1, np.rint(wanted * folds)) / folds - wanted).sum())

    return sorted(
        (folds for folds in FOLDS if folds <= groups), key=lambda folds: round(miss(folds), 3)
    )


def _folds(strata: Array, groups: list[str], folds: int, seed: int) -> list[int]:
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
    first, second = (int(number) for number in np.maximum(1, np.rint(wanted * folds)))
    if first + second >= folds:
        return
    for validation, test in _some_pairs(folds, first, second):
        rest = [fold for fold in range(folds) if fold not in validation and fold not in test]
        if all(
            (table[:, part].sum(axis=1) > 0).all() for part in (list(validation), list(test), rest)
        ):
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


def _sentence(
    counts: Mapping[str, int], patients: Mapping[str, int], settings: SplitSettings
) -> str:
    words = ", ".join(
        f"{counts[part]} images of {patients[part]} patients for {purpose}"
        for part, purpose in (
            ("train", "training"),
            ("validation", "validation"),
            ("test", "the sealed test"),
        )
    )
    return f"Divided by patient (seed {settings.seed}): {words}."
