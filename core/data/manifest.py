"""The manifest: one row per image found, usable or not; what every later step reads.

Paths stand in a table of their own, readable by the owner alone, and nowhere else; patients only as
keyed hashes (`core.data.keys`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from core.config import PixelSettings
from core.data.picture import Array
from core.errors import DataError
from core.files import atomic_path, read_json, sha256_json, write_json
from core.types import SplitName, Task

SCHEMA_VERSION = 2
COLUMNS = {
    "image": "str", "frame": "int64", "frames": "int64", "labels": "object", "patient": "str",
    "patient_source": "str", "split": "str", "proposed_split": "str", "group": "str", "code": "str",
    "reason": "str", "sha256": "str", "pixels_sha256": "str", "phash": "str", "row": "int64",
    "width": "int64", "height": "int64", "bits": "int64", "modality": "str", "decoder": "str",
    "lossy": "bool", "window": "str", "windows": "str", "study": "str", "series": "str",
    "instance": "str", "number": "int64", "stack": "str", "slice": "int64", "orientation": "str",
    "position_mm": "float64", "row_mm": "float64", "column_mm": "float64", "spacing": "str",
    "burned_in": "str", "overlays": "int64", "scanner": "str", "notes": "str",
}  # fmt: skip

TOGETHER = 4096  # rows that become a table at a time: as objects they take ten times the memory
EMPTY: Mapping[str, Any] = {
    "str": "", "int64": 0, "float64": float("nan"), "bool": False, "object": None,
}  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """An imported data set.

    Attributes:
        folder: Where its decoded pictures (`core.data.cache`) are.
        id: 16 hexadecimal digits: the source's listing and the import settings.
        images: The manifest, with the columns of `COLUMNS`.
        classes: Names of the classes, in the order of the network's outputs.
        task: One class per image, or any number of findings.
        pixels: How files became pictures.
        channels: 1 or 3.
        synthetic: Whether the images are the demo phantom; said wherever they are shown.
        notes: Sentences about the import that the user should see.
        ignored: Files passed over because they neither are nor claim to be images.
    """

    folder: Path
    id: str
    images: pd.DataFrame
    classes: tuple[str, ...]
    task: Task
    pixels: PixelSettings
    channels: int
    synthetic: bool
    notes: tuple[str, ...] = ()
    ignored: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def sha256(self) -> str:
        """Hash over what training depends on: usable images, labels, patients, pixel settings."""
        usable = self.usable().sort_values("image")
        columns = (
            usable[name] for name in ("image", "sha256", "pixels_sha256", "labels", "patient")
        )
        rows = [
            [*map(str, front), list(labels), patient]
            for *front, labels, patient in zip(*columns, strict=True)
        ]
        return sha256_json(
            [
                rows,
                list(self.classes),
                self.task,
                self.channels,
                self.pixels.model_dump(mode="json"),
            ]
        )

    def usable(self) -> pd.DataFrame:
        """Rows whose image can be used."""
        return self.images[self.images["code"] == ""]

    def part(self, split: SplitName) -> pd.DataFrame:
        """Usable rows of one split."""
        usable = self.usable()
        return usable[usable["split"] == split.value]

    def targets(self, frame: pd.DataFrame) -> Array:
        """Labels as numbers.

        Args:
            frame: Usable rows.

        Returns:
            Multiclass: ``[N]`` int64, the class's place. Multilabel: ``[N, C]`` float32, 0 or 1.
        """
        place = {name: index for index, name in enumerate(self.classes)}
        if self.task is Task.MULTICLASS:
            return np.array([place[labels[0]] for labels in frame["labels"]], dtype=np.int64)
        targets = np.zeros((len(frame), len(self.classes)), dtype=np.float32)
        for row, labels in zip(targets, frame["labels"], strict=True):
            row[[place[label] for label in labels]] = 1.0
        return targets

    def with_images(self, images: pd.DataFrame) -> Dataset:
        """The same data set with another manifest (after a split)."""
        return replace(self, images=images)

    def excluded(self) -> pd.DataFrame:
        """What could not be used: code, reason, count; the most frequent first.

        Reasons that differ only in a number (a row, a length) are counted under the first of them.
        """
        unusable = self.images[self.images["code"] != ""]
        table = unusable.groupby("code", sort=True).agg(
            reason=("reason", "first"), count=("image", "size")
        )
        table = table.reset_index().sort_values(["count", "code"], ascending=[False, True])
        return table[["code", "reason", "count"]].reset_index(drop=True)


def manifest_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Build a manifest from rows; columns that a row lacks are empty.

    Of the numbers `row` is then -1, `frames` 1, measures in mm are NaN, and the rest are 0.
    """
    blank: dict[str, Any] = {name: EMPTY[kind] for name, kind in COLUMNS.items()}
    blank |= {"row": -1, "frames": 1, "labels": []}
    kinds = {name: kind for name, kind in COLUMNS.items() if kind != "object"}
    remaining = iter(rows)
    parts = []
    while part := [blank | dict(row) for row in islice(remaining, TOGETHER)]:
        parts.append(pd.DataFrame(part, columns=list(COLUMNS)).astype(kinds))
    empty = pd.DataFrame(columns=list(COLUMNS)).astype(kinds)
    return pd.concat(parts, ignore_index=True) if parts else empty


def save_manifest(dataset: Dataset, folder: Path) -> None:
    """Write ``manifest.parquet`` and ``dataset.json`` into a data set's folder or a run's."""
    with atomic_path(folder / "manifest.parquet", private=True) as temporary:
        dataset.images.to_parquet(temporary, index=False)
    write_json(
        folder / "dataset.json",
        {
            "schema_version": SCHEMA_VERSION,
            "id": dataset.id,
            "sha256": dataset.sha256,
            "classes": list(dataset.classes),
            "task": dataset.task.value,
            "pixels": dataset.pixels.model_dump(mode="json"),
            "channels": dataset.channels,
            "synthetic": dataset.synthetic,
            "images": len(dataset.images),
            "usable": len(dataset.usable()),
            "ignored": dataset.ignored,
            "patient_sources": _counts(dataset.usable(), "patient_source"),
            "decoders": _counts(dataset.usable(), "decoder"),
            "notes": list(dataset.notes),
            **dataset.facts,
        },
    )


def open_dataset(folder: Path, workspace: Path | None = None) -> Dataset:
    """Read what `save_manifest` wrote.

    Args:
        folder: A data set's folder, or a run's.
        workspace: Where the decoded pictures are looked for when `folder` is a run's.

    Raises:
        DataError: I07, it is missing, damaged, or of a newer version.
    """
    try:
        known = read_json(folder / "dataset.json")
        images = pd.read_parquet(folder / "manifest.parquet")
        if known["schema_version"] != SCHEMA_VERSION or set(COLUMNS) - set(images.columns):
            raise ValueError("another version")
        images["labels"] = [[str(label) for label in labels] for labels in images["labels"]]
        dataset = Dataset(
            folder=folder if workspace is None else workspace / "datasets" / known["id"],
            id=known["id"],
            images=images.astype(
                {name: kind for name, kind in COLUMNS.items() if kind != "object"}
            ),
            classes=tuple(known["classes"]),
            task=Task(known["task"]),
            pixels=PixelSettings.model_validate(known["pixels"]),
            channels=known["channels"],
            synthetic=known["synthetic"],
            notes=tuple(known["notes"]),
            ignored=known["ignored"],
        )
        if dataset.sha256 != known["sha256"]:
            raise ValueError("changed")
    except (OSError, ValueError, KeyError, TypeError, ArrowException) as error:
        raise DataError(
            "I07",
            "The data set's tables are missing, damaged or of another version",
            todo="Import the images again.",
        ) from error
    return dataset


def save_paths(paths: Mapping[str, str], folder: Path) -> None:
    """Write image id to relative path, readable by the owner alone; paths often carry names."""
    table = pd.DataFrame({"image": list(paths), "path": list(paths.values())}, dtype="str")
    with atomic_path(folder / "paths.parquet", private=True) as temporary:
        table.to_parquet(temporary, index=False)


def read_paths(folder: Path) -> dict[str, str]:
    """Image id to path relative to the source folder, as `save_paths` wrote it."""
    table = pd.read_parquet(folder / "paths.parquet")
    return dict(zip(table["image"].astype(str), table["path"].astype(str), strict=True))


def _counts(frame: pd.DataFrame, column: str) -> dict[str, int]:
    return {str(name): int(count) for name, count in frame[column].value_counts().items()}
