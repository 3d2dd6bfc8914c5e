"""Which files the findings are about: for whoever may see the files' names, and nobody else."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from core.files import write_bytes

COLUMNS = ("finding", "group", "file", "frame", "labels", "part", "patient", "image", "reason")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute such a cell
Json = Mapping[str, Any]


def listed_files(
    found: Json, images: pd.DataFrame, paths: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    """One row for every image that a finding names, and for every image left out.

    Args:
        found: What `core.data.findings` collected.
        images: The manifest.
        paths: Image id to path (`core.data.manifest.read_paths`).
    """
    groups = list(_groups(found))
    named = {image for _, _, group in groups for image in group}
    known = _rows(images[images["image"].isin(named)])
    for finding, number, group in groups:
        for image in group:
            yield _row(finding, str(number), known[image], paths)
    for row in _rows(images[images["code"] != ""]).values():
        yield _row(f"left out {row['code']}", "", row, paths)


def _rows(images: pd.DataFrame) -> dict[str, Json]:
    """Rows of the manifest by image id."""
    rows = (dict(zip(images.columns, row, strict=True)) for row in images.itertuples(index=False))
    return {str(row["image"]): row for row in rows}


def _groups(found: Json) -> Iterator[tuple[str, int, list[str]]]:
    """Name of the finding, number of the group in it, and its images."""
    lists = [
        ("exact copies", found["copies"]["list"]),
        ("nearly identical", found["alike"]["list"]),
    ]
    if found["proposed"]:
        crossings = found["proposed"]["crossings"]
        kinds = ("patients", "copies", "alike")
        lists += [(f"in two parts: {kind}", crossings[kind]) for kind in kinds]
    for finding, groups in lists:
        for number, group in enumerate(groups, start=1):
            yield finding, number, group["images"]


def _row(finding: str, group: str, row: Json, paths: Mapping[str, str]) -> dict[str, str]:
    image = str(row["image"])
    values = (
        finding, group, paths.get(image, ""), str(row["frame"]), "; ".join(row["labels"]),
        str(row["proposed_split"]), str(row["patient"]), image, str(row["reason"]),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def write_listing(rows: Iterator[dict[str, str]], target: Path) -> int:
    """Write the rows as CSV, readable by the owner alone, safe in a spreadsheet; their number."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow({key: _harmless(cell) for key, cell in row.items()})
        count += 1
    write_bytes(target, text.getvalue().encode("utf-8-sig"), private=True)
    return count


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell
