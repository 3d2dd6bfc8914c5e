"""Dividing patients into training, validation and test.

No patient, no file or picture that occurs twice, and no cluster of pictures that look the same is
divided. A division that comes with the data, or that was saved, is taken as it is if that holds for
it, and refused with a list if it does not.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from core.config import SplitSettings
from core.data.checks import identical_images, join
from core.data.crossings import find_crossings
from core.data.folds import divide
from core.data.near import near_clusters
from core.data.picture import Array
from core.data.split_file import load_parts
from core.errors import SplitError
from core.files import sha256_json
from core.types import SplitName, Task

PARTS = tuple(part.value for part in SplitName)
LARGE_CLUSTER = 20
PURPOSES = (("train", "training"), ("validation", "validation"), ("test", "the sealed test"))
DIVIDE_ANEW = (
    'Divide anew by patient: on Data, or with "origin": "new" under "split" in the configuration.'
)


@dataclass(frozen=True)
class Split:
    """A division of the patients.

    Attributes:
        assignment: Image id to ``"train"``, ``"validation"`` or ``"test"``.
        groups: Image id to what may not be divided: patients joined with clusters of duplicates.
        sha256: Hash of the assignment.
        sentence: The division in plain words.
        notes: What the user should know about it.
        origin: ``"new"``, ``"proposed"`` (it came with the data) or ``"file"`` (it was saved).
    """

    assignment: Mapping[str, str]
    groups: Mapping[str, str]
    sha256: str
    sentence: str
    notes: tuple[str, ...]
    origin: str = "new"

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
        settings: Where the division comes from, shares and seed. Equal input and seed give the
            equal split.

    Raises:
        SplitError: T01 a single class, T02 a class with fewer than three patients, T03 a class
            missing in a part, T04 a patient or like pictures in two parts of a given division,
            T14 no labels, T07 to T09 a saved division that cannot be used.
    """
    usable = images[images["code"] == ""].sort_values("image").reset_index(drop=True)
    present = _presence(usable, task)
    if not present:
        raise SplitError(
            "T14",
            "The images have no labels, so a student cannot be trained with them",
            todo="They can be looked at. To train, say where their labels are: a folder for each "
            "class, a table, or a DICOM tag.",
        )
    if len(present) < 2:
        raise SplitError(
            "T01", "All usable images carry the same label", todo="Add images of another class."
        )
    groups, notes = _groups(usable)
    origin, given, more = _given(usable, settings)
    if origin == "new":
        _check_classes(present, groups)
        parts = divide(present, groups, (settings.validation, settings.test), settings.seed)
    else:
        _refuse_crossings(usable, given, origin)
        parts, filled = _completed(given, groups, present, settings)
        more += filled
        _check_presence(present, parts, origin)
    ids = usable["image"].tolist()
    assignment = dict(zip(ids, parts, strict=True))
    return Split(
        assignment=assignment,
        groups=dict(zip(ids, groups, strict=True)),
        sha256=sha256_json(sorted(assignment.items())),
        sentence=_sentence(usable, parts, origin, settings),
        notes=(*more, *notes),
        origin=origin,
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


def proposed_parts(usable: pd.DataFrame) -> list[str] | None:
    """The division that comes with the data, by row; None where there is none worth the name."""
    parts = usable["proposed_split"].tolist()
    named = set(parts) - {""}
    return parts if "train" in named and len(named) > 1 else None


def _given(usable: pd.DataFrame, settings: SplitSettings) -> tuple[str, list[str], list[str]]:
    """Where the division comes from, the parts it names, and what to say about it."""
    if settings.file:
        parts, notes = load_parts(Path(settings.file), usable)
        return "file", parts, notes
    proposed = proposed_parts(usable) if settings.origin == "auto" else None
    return ("new", [], []) if proposed is None else ("proposed", proposed, [])


def _refuse_crossings(usable: pd.DataFrame, parts: Sequence[str], origin: str) -> None:
    crossings = find_crossings(usable, parts)
    if crossings:
        whose = "that comes with the data" if origin == "proposed" else "in the file"
        raise SplitError(
            "T04",
            f"The division {whose} puts {crossings.sentence} in two of its parts",
            todo=f"The import report lists them. {DIVIDE_ANEW}",
        )


def _completed(
    given: Sequence[str],
    groups: Sequence[str],
    present: Mapping[str, Array],
    settings: SplitSettings,
) -> tuple[list[str], list[str]]:
    """Fill what a given division leaves open: images in no part, then parts without images."""
    homes = {group: part for group, part in zip(groups, given, strict=True) if part}
    parts = [homes.get(group, "train") for group in groups]
    notes = []
    loose = sum(part == "" for part in given)
    if loose:
        notes.append(
            f"The division names no part for {loose} images; they went to the part of what they "
            "resemble, else to training."
        )
    missing = [part for part in ("validation", "test") if part not in parts]
    if missing:
        inside = [place for place, part in enumerate(parts) if part == "train"]
        shares = [
            min(0.5, getattr(settings, part) * len(parts) / len(inside)) if part in missing else 0.0
            for part in ("validation", "test")
        ]
        some = {name: shown[inside] for name, shown in present.items()}
        own = [groups[place] for place in inside]
        _check_classes(some, own, least=1 + len(missing))
        for place, part in zip(
            inside, divide(some, own, (shares[0], shares[1]), settings.seed), strict=True
        ):
            parts[place] = part
        notes.append(
            f"The division has no {' and no '.join(missing)} part; it was taken out of the "
            f"training part by patient (seed {settings.seed})."
        )
    return parts, notes


def _groups(usable: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Group of every row, named by its first patient, and notes on what was joined."""
    first: dict[str, int] = {}
    patients = [
        (first.setdefault(patient, place), place) for place, patient in enumerate(usable["patient"])
    ]
    copies = [(group[0], other) for group in identical_images(usable) for other in group[1:]]
    near = [
        (leader, place)
        for place, leader in enumerate(near_clusters(usable["phash"].tolist()))
        if leader != place
    ]
    leaders = join(len(usable), itertools.chain(patients, copies, near))
    names = usable["patient"].tolist()
    notes = []
    like = Counter(join(len(usable), itertools.chain(copies, near)))
    clusters = [size for size in like.values() if size > 1]
    if clusters:
        notes.append(
            f"{sum(clusters)} images look the same as another ({len(clusters)} "
            f"{'cluster' if len(clusters) == 1 else 'clusters'}, the largest of {max(clusters)}); "
            "what looks the same stays in one part."
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


def _check_classes(present: Mapping[str, Array], groups: Sequence[str], least: int = 3) -> None:
    names = np.array(groups)
    for name, shown in present.items():
        patients = len(set(names[shown]))
        if patients < least:
            raise SplitError(
                "T02",
                f"A class has only {patients} independent "
                f"{'patient' if patients == 1 else 'patients'} and needs at least {least}",
                item=name,
                todo="Add patients, or leave the class out.",
            )


def _check_presence(present: Mapping[str, Array], parts: Sequence[str], origin: str) -> None:
    """Refuse a given division in which a part lacks a class."""
    places = np.array(parts)
    for name, shown in present.items():
        for part in PARTS:
            if not (places[shown] == part).any():
                raise SplitError(
                    "T03",
                    f"The division {'of the data' if origin == 'proposed' else 'in the file'} has "
                    f"no image of a class in its {part} part",
                    item=name,
                    todo=DIVIDE_ANEW,
                )


def _sentence(
    usable: pd.DataFrame, parts: Sequence[str], origin: str, settings: SplitSettings
) -> str:
    """``412 patients, 1,903 images; no patient is in two groups.`` and who is where."""
    patients = usable["patient"]
    places = np.array(parts)
    words = ", ".join(
        f"{(places == part).sum():,} images of {patients[places == part].nunique():,} patients "
        f"for {purpose}"
        for part, purpose in PURPOSES
    )
    how = {
        "new": f"Divided by patient (seed {settings.seed})",
        "proposed": "Divided as the data propose",
        "file": "Divided as saved",
    }
    return f"{_total(usable)} {how[origin]}: {words}."


def _total(usable: pd.DataFrame) -> str:
    """Who there is, and what is promised; where no patient is known, nothing about patients."""
    unknown = int((usable["patient_source"] == "image").sum())
    images = f"{len(usable):,} images"
    if unknown == len(usable):
        each = "each" if usable["patient"].is_unique else "each file"
        return (
            f"{images}, {each} counted as a patient of its own because nothing names the patient; "
            "no picture and none that looks like it is in two groups."
        )
    total = f"{usable['patient'].nunique():,} patients, {images}; no patient is in two groups"
    return f"{total}." if not unknown else f"{total} ({unknown:,} images name none)."
