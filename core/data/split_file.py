"""A division on disk, to be used again, on this machine or another.

A file's SHA-256 and the frame inside it say which image is meant: names and patients do not leave
the workspace, and image ids, which are keyed with its secret, mean nothing elsewhere. As JSON the
division carries a hash of itself; as CSV it can be read and made by any other program.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import SplitError
from core.files import sha256_json, write_json, write_text
from core.types import SplitName

FORMAT = "bedside-split"
VERSION = 1
COLUMNS = ("sha256", "frame", "part")
LIMIT = 64 * 2**20  # bytes
PARTS = tuple(part.value for part in SplitName)
Key = tuple[str, int]


def save_parts(target: Path, images: pd.DataFrame) -> None:
    """Write the division of a manifest.

    Args:
        target: ``.csv`` writes a table, anything else JSON.
        images: A manifest whose `split` is filled.

    Raises:
        SplitError: T05, an image is in no part.
    """
    usable = images[images["code"] == ""]
    if not usable["split"].isin(PARTS).all():
        raise SplitError("T05", "An image is in no part of the split", todo="Split first.")
    columns = (usable["sha256"], usable["frame"], usable["split"])
    rows = sorted(
        {(str(sha), int(frame), str(part)) for sha, frame, part in zip(*columns, strict=True)}
    )
    if target.suffix.casefold() == ".csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
        write_text(target, text.getvalue())
        return
    write_json(
        target,
        {"format": FORMAT, "version": VERSION, "sha256": sha256_json(rows)}
        | {"images": [list(row) for row in rows]},
    )


def load_parts(source: Path, usable: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Read a division and lay it over a manifest.

    Args:
        source: A file that `save_parts` wrote, or a table with its columns.
        usable: Usable rows of a manifest.

    Returns:
        The part of each row, and sentences about what did not fit.

    Raises:
        SplitError: T07, the file cannot be read; T08, it is damaged or contradicts itself; T09, it
            does not name every image.
    """
    known = _read(source)
    keys = list(zip(usable["sha256"].astype(str), usable["frame"].astype(int), strict=True))
    absent = sum(key not in known for key in keys)
    if absent:
        raise SplitError(
            "T09",
            f"The saved division does not name {absent} of the {len(keys)} images",
            item=source.name,
            todo="Use the division of these images, or divide by patient anew.",
        )
    extra = len(set(known) - set(keys))
    notes = [f"The saved division names {extra} images that are not here."] if extra else []
    return [known[key] for key in keys], notes


def _read(source: Path) -> dict[Key, str]:
    try:
        if source.stat().st_size > LIMIT:
            raise _useless(source, "it is larger than 64 MB")
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _useless(source, "it cannot be read") from error
    rows = _rows_of_json(source, text) if text.lstrip()[:1] == "{" else _rows_of_table(source, text)
    known: dict[Key, str] = {}
    for line, (sha256, frame, part) in rows:
        if part not in PARTS:
            raise _damaged(source, f"row {line} names no part ({', '.join(PARTS)})")
        if known.setdefault((sha256, frame), part) != part:
            raise _damaged(source, f"row {line} contradicts an earlier one")
    return known


def _rows_of_json(source: Path, text: str) -> list[tuple[int, tuple[str, int, str]]]:
    try:
        content: Mapping[str, Any] = json.loads(text)
        rows: Sequence[Any] = content["images"]
        entries = [(str(sha), int(frame), str(part)) for sha, frame, part in rows]
        fits = content["format"] == FORMAT and content["version"] == VERSION
        intact = content["sha256"] == sha256_json(entries)
    except (ValueError, KeyError, TypeError) as error:
        raise _useless(source, "it is no saved division") from error
    if not fits:
        raise _useless(source, "it is of another version")
    if not intact:
        raise _damaged(source, "it was changed after it was saved")
    return list(enumerate(entries, start=1))


def _rows_of_table(source: Path, text: str) -> list[tuple[int, tuple[str, int, str]]]:
    reader = csv.DictReader(io.StringIO(text))
    if set(COLUMNS) - set(reader.fieldnames or ()):
        raise _useless(source, f"it lacks a column ({', '.join(COLUMNS)})")
    rows = []
    for row in reader:
        frame = (row["frame"] or "").strip()
        if not frame.isdecimal():
            raise _damaged(source, f"row {reader.line_num} has no frame number")
        rows.append(
            (
                reader.line_num,
                ((row["sha256"] or "").strip(), int(frame), (row["part"] or "").strip()),
            )
        )
    return rows


def _useless(source: Path, why: str) -> SplitError:
    return SplitError(
        "T07",
        f"The saved division cannot be used: {why}",
        item=source.name,
        todo="Choose another file, or divide by patient anew.",
    )


def _damaged(source: Path, why: str) -> SplitError:
    return SplitError(
        "T08",
        f"The saved division is damaged: {why}",
        item=source.name,
        todo="Use the file as it was saved, or divide by patient anew.",
    )
