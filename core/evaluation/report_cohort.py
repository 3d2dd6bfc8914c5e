"""Who is in the study: images found, left out and why, and who went into which split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.evaluation.report_words import count, name, number, plain
from core.types import SplitName

SHOWN_REASONS = 8
SOURCES = {
    "header": "the identifier in the file header",
    "column": "a column of the label table",
    "pattern": "a pattern in the file name",
    "image": "nothing: each image counts as a patient of its own",
}
SPLIT_TITLES = {
    SplitName.TRAIN: "Training",
    SplitName.VALIDATION: "Validation",
    SplitName.TEST: "Test",
}


@dataclass(frozen=True)
class Part:
    """One box of the flow: its images and patients, in all and by class."""

    title: str
    note: str
    images: int
    patients: int
    classes: list[tuple[str, int, int]]

    @property
    def size(self) -> str:
        """``120 images of 40 patients``."""
        return f"{count(self.images, 'image')} of {count(self.patients, 'patient')}"


@dataclass(frozen=True)
class Cohort:
    """The flow from what was found to the three splits."""

    found: int
    excluded: int
    reasons: list[tuple[str, str, int]]
    usable: Part
    unassigned: int
    parts: list[Part]
    sources: list[str]
    unknown_patients: int
    shared_patients: int


def describe_cohort(images: pd.DataFrame, classes: list[str]) -> Cohort | None:
    """Count the manifest; None when there is none.

    Args:
        images: The manifest, one row per image found, usable or not.
        classes: Names of the classes or findings.
    """
    if images.empty:
        return None
    usable = images[images["code"] == ""]
    left_out = images[images["code"] != ""]
    splits = [_part(usable[usable["split"] == part], part, classes) for part in SplitName]
    sources = usable["patient_source"].value_counts()
    return Cohort(
        found=len(images),
        excluded=len(left_out),
        reasons=_reasons(left_out),
        usable=_count("Usable", "", usable, classes),
        unassigned=int((usable["split"] == "").sum()),
        parts=splits,
        sources=[
            f"{SOURCES.get(str(kind), plain(kind, 40))} ({count(int(amount), 'image')})"
            for kind, amount in sources.items()
        ],
        unknown_patients=int(sources.get("image", 0)),
        shared_patients=_shared(usable),
    )


def _shared(usable: pd.DataFrame) -> int:
    """Patients with images in more than one part; anything but 0 spoils the figures."""
    placed = usable[usable["split"] != ""]
    return int((placed.groupby("patient")["split"].nunique() > 1).sum())


def _part(images: pd.DataFrame, part: SplitName, classes: list[str]) -> Part:
    notes = {
        SplitName.TRAIN: "the student learns from these",
        SplitName.VALIDATION: "for every choice: epoch, threshold, comparison",
        SplitName.TEST: "sealed until opened on purpose",
    }
    return _count(SPLIT_TITLES[part], notes[part], images, classes)


def _count(title: str, note: str, images: pd.DataFrame, classes: list[str]) -> Part:
    single = images.explode("labels")
    by_class = [
        (name(each), int(chosen["image"].nunique()), int(chosen["patient"].nunique()))
        for each in classes
        for chosen in [single[single["labels"] == each]]
    ]
    return Part(title, note, len(images), int(images["patient"].nunique()), by_class)


def _reasons(left_out: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Code, sentence and count, most frequent first; the rest in one line."""
    grouped = left_out.groupby("code")["reason"].agg(["first", "size"]).reset_index()
    ranked = grouped.sort_values(["size", "code"], ascending=[False, True])
    told = [
        (plain(code, 12), plain(reason, 160), int(size))
        for code, reason, size in ranked.itertuples(index=False)
    ]
    if len(told) <= SHOWN_REASONS:
        return told
    rest = told[SHOWN_REASONS - 1 :]
    other = f"{number(len(rest))} other reasons"
    return [*told[: SHOWN_REASONS - 1], ("", other, sum(size for _, _, size in rest))]


def overlap_sentence(teacher: Mapping[str, Any]) -> str:
    """Whether the teacher has seen these images before."""
    overlap = teacher.get("overlap") or {}
    return plain(overlap.get("sentence") or "Not known: the teacher's card lists no images.")
