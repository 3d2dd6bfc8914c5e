"""What stands on both sides of a division: patients, copies of a picture, pictures that look alike.

Each of them makes the figures on the other side too good, because the network has seen the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.data.checks import identical_images
from core.data.near import near_blocks
from core.data.picture import Array

LISTED = 1000  # of each kind; all are counted


@dataclass(frozen=True)
class Crossing:
    """One thing that is in several parts.

    Attributes:
        parts: The parts, in order.
        images: Ids of its images, at most `LISTED`.
        patient: The patient's keyed hash, where it is one.
    """

    parts: tuple[str, ...]
    images: tuple[str, ...]
    patient: str = ""


@dataclass(frozen=True)
class Crossings:
    """Everything that is in several parts of one division.

    Attributes:
        patients: Patients; the first `LISTED`.
        copies: Groups of equal files or equal pixels.
        alike: Pairs that look the same and are neither copies nor of one patient.
        counts: How many there are of each, by these names.
    """

    patients: tuple[Crossing, ...]
    copies: tuple[Crossing, ...]
    alike: tuple[Crossing, ...]
    counts: dict[str, int]

    def __bool__(self) -> bool:
        return any(self.counts.values())

    @property
    def sentence(self) -> str:
        """What crosses, in words: ``170 patients and 2 pairs of pictures that look alike``."""
        words = (
            ("patients", "patient", "patients"),
            ("copies", "picture that occurs twice", "pictures that occur more than once"),
            ("alike", "pair of pictures that look alike", "pairs of pictures that look alike"),
        )
        told = [
            f"{self.counts[kind]:,} {one if self.counts[kind] == 1 else many}"
            for kind, one, many in words
            if self.counts[kind]
        ]
        return " and ".join(part for part in (", ".join(told[:-1]), *told[-1:]) if part)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def find_crossings(images: pd.DataFrame, parts: Sequence[str]) -> Crossings:
    """Look for what a division divides.

    Args:
        images: Usable rows of a manifest.
        parts: The part of each row; rows in no part (``""``) cross nothing.
    """
    placed = np.array([part != "" for part in parts])
    images = images[placed].reset_index(drop=True)
    own = np.array([part for part in parts if part], dtype=object)
    ids = images["image"].to_numpy(dtype=object)
    patients = _patients(images, own, ids)
    copies = [
        _crossing(own, ids, group) for group in identical_images(images) if len(set(own[group])) > 1
    ]
    alike, pairs = _alike(images, own, ids)
    counts = {"patients": len(patients), "copies": len(copies), "alike": pairs}
    return Crossings(tuple(patients[:LISTED]), tuple(copies[:LISTED]), tuple(alike), counts)


def _crossing(parts: Array, ids: Array, rows: Sequence[int] | Array, patient: str = "") -> Crossing:
    chosen = tuple(str(image) for image in ids[list(rows)][:LISTED])
    return Crossing(tuple(sorted(set(parts[list(rows)]))), chosen, patient)


def _patients(images: pd.DataFrame, parts: Array, ids: Array) -> list[Crossing]:
    known = images.assign(part=parts)
    known = known[known["patient"] != ""]
    divided = known.groupby("patient")["part"].nunique()
    names = set(divided.index[divided > 1])
    rows = known[known["patient"].isin(names)].groupby("patient", sort=True).indices
    kept = np.flatnonzero(images["patient"].isin(names))
    return [_crossing(parts, ids, kept[places], str(name)) for name, places in rows.items()]


def _alike(images: pd.DataFrame, parts: Array, ids: Array) -> tuple[list[Crossing], int]:
    """Pairs in two parts that look alike and have nothing else in common, and their number."""
    codes = [pd.factorize(images[name])[0] for name in ("sha256", "pixels_sha256", "patient")]
    place = pd.factorize(parts)[0]
    listed: list[Crossing] = []
    count = 0
    for block in near_blocks(images["phash"].tolist()):
        left, right = block.T
        found = place[left] != place[right]
        for code in codes:
            found &= code[left] != code[right]
        count += int(found.sum())
        for pair in block[found][: LISTED - len(listed)]:
            listed.append(_crossing(parts, ids, pair))
    return sorted(listed, key=lambda each: each.images), count
