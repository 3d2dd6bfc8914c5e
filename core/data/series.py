"""Slices that belong together: grouped, put in order by position, gaps and copies found.

The order of a series is where its slices lie in the body, never how its files are called
(`reference/reliability.md` a.3, rows 40 to 43).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from core.files import sha256_json

SAME_MM = 0.01  # positions closer than this are one
GAP = 1.5  # a step that many times the usual one leaves out a slice
LEAST_STEPS = 3  # fewer steps say nothing about the usual one
NAMED = 3  # gaps that a note names before it only counts


def arrange(images: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Fill `stack` and `slice`, take out repeated slices, and say what is missing.

    A stack is what shares patient, examination, series, orientation and size; a slice's place in it
    counts from 1, by position, then by the scanner's number, then by frame.

    Args:
        images: A manifest.

    Returns:
        The manifest, and sentences on copies and gaps.
    """
    images = images.copy()
    usable = images[(images["code"] == "") & (images["series"] != "")]
    notes = []
    copies = _copies(usable)
    if len(copies):
        images.loc[copies, "code"] = "D51"
        images.loc[copies, "reason"] = "The same slice of a series occurs a second time."
        images.loc[copies, "row"] = -1
        words = "1 slice occurs" if len(copies) == 1 else f"{len(copies)} slices occur"
        notes.append(f"{words} twice in their series; each is used once.")
        usable = usable.drop(copies)
    if len(usable):
        images = _numbered(images, usable)
        notes += _gaps(images)
    return images, notes


def _copies(usable: pd.DataFrame) -> list[Any]:
    """Rows whose pixels, label and object or place in the body are those of an earlier row."""
    labels = usable["labels"].map(lambda names: "\0".join(sorted(names)))
    same = usable.assign(label=labels, where=usable["position_mm"].round(2))
    common = ["pixels_sha256", "series", "label"]
    objects = same[same["instance"] != ""].duplicated([*common, "instance", "frame"])
    placed = same[same["position_mm"].notna()]
    places = placed.duplicated([*common, "orientation", "where"])
    return sorted({*objects.index[objects.to_numpy()], *places.index[places.to_numpy()]})


def _numbered(images: pd.DataFrame, usable: pd.DataFrame) -> pd.DataFrame:
    keys = ["patient", "study", "series", "orientation", "width", "height"]
    ordered = usable.sort_values([*keys, "position_mm", "number", "frame"], kind="stable")
    groups = ordered.groupby(keys, sort=False)
    images.loc[ordered.index, "slice"] = groups.cumcount() + 1
    names = {
        number: sha256_json([str(part) for part in key])[:16]
        for number, (key, _) in enumerate(groups)
    }
    images.loc[ordered.index, "stack"] = groups.ngroup().map(names)
    return images


def _gaps(images: pd.DataFrame) -> list[str]:
    """Mark slices before which others are missing, and say so."""
    found: list[str] = []
    placed = images[(images["stack"] != "") & images["position_mm"].notna()]
    for stack, rows in placed.sort_values("slice").groupby("stack", sort=False):
        positions = rows["position_mm"].to_numpy(dtype=np.float64)
        for place, missing in _missing(positions):
            index = rows.index[place]
            before, after = rows["slice"].iloc[place - 1], rows["slice"].iloc[place]
            what = "a slice is" if missing == 1 else f"{missing} slices are"
            found.append(f"in stack {stack} {what} missing between slices {before} and {after}")
            images.loc[index, "notes"] = _joined(
                [images.loc[index, "notes"], f"{what} missing before this one"]
            )
    if not found:
        return []
    more = f"; {len(found) - NAMED} more" if len(found) > NAMED else ""
    return [f"Series with gaps: {'; '.join(found[:NAMED])}{more}."]


def _missing(positions: np.ndarray) -> list[tuple[int, int]]:
    """Gaps as (place of the slice after it, slices missing); none where steps are irregular."""
    steps = np.diff(positions)
    real = steps[steps > SAME_MM]
    if len(real) < LEAST_STEPS:
        return []
    usual = float(np.sort(real)[(len(real) - 1) // 2])  # the lower median
    wide = np.flatnonzero(steps > GAP * usual)
    gaps = [(int(place) + 1, max(1, round(float(steps[place]) / usual) - 1)) for place in wide]
    few = len(wide) * 3 <= len(real) and sum(missing for _, missing in gaps) <= len(positions)
    return gaps if few else []


def _joined(parts: Iterable[object]) -> str:
    return "; ".join(text for part in parts if (text := str(part)))
