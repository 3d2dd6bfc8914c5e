"""What the Data page says of an import: its figures, and the names it keeps to itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.found import file_name, image_facts, image_list, summarise, unusable_names
from app.text.data import NO_FINDING
from core.config import PixelSettings
from core.data.manifest import Dataset, manifest_table, save_paths
from core.errors import DataError
from core.types import Task

NAMES = {"i0": "DOE_JANE/0.dcm", "i1": "DOE_JANE/1.png", "i2": "ROE/2.png", "i3": "ROE/3.png"}


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A usable image; two belong to each patient."""
    return {
        "image": f"i{number}", "labels": ["b" if number % 2 else "a"], "row": number,
        "patient": f"{number // 2:016x}", "patient_source": "pattern", "split": "train",
        "width": 640, "height": 480, "bits": 8, "decoder": "Pillow 12", "window": "8 bits",
    } | changes  # fmt: skip


def dataset(folder: Path, *rows: dict[str, Any], task: Task = Task.MULTICLASS) -> Dataset:
    """A data set with these rows; its file names carry names, as they do."""
    save_paths(NAMES, folder)
    pixels = PixelSettings(size_px=96)
    return Dataset(
        folder, "0" * 16, manifest_table(rows), ("a", "b"), task, pixels, 1, False, ("Said.",), 2
    )


@pytest.fixture
def mixed(tmp_path: Path) -> Dataset:
    """Three usable images of two patients, one that is not, in all three parts."""
    return dataset(
        tmp_path,
        row(0, bits=12, modality="CT", patient_source="header", window="40/400", row=7),
        row(1, width=800, split="validation"),
        row(2, height=500, split="test"),
        row(3, row=-1, code="P01", reason="No image.", split=""),
    )


def facts(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {fact["name"]: (fact["value"], fact["words"]) for fact in found["facts"]}


def test_the_figures(mixed: Dataset) -> None:
    found = summarise(mixed)
    assert facts(found) == {
        "Images": ("3", ""),
        "Patients": ("2", "from the file names (2 images); from the file header (1 images)"),
        "Classes": ("2", "a, b"),
        "Size in the files": ("640–800 × 480–500 px", "3 different sizes"),
        "Grey levels": ("8 / 12 bits", "8 bits: 2, 12 bits: 1"),
        "Modality": ("CT", "not stated: 2, CT: 1"),
    }
    assert found["excluded"] == [{"code": "P01", "reason": "No image.", "count": 1}]
    assert found["out"] == "1 of 4 could not be used"
    assert found["notes"][0] == "Said."
    assert "2 files" in found["notes"][1]


def test_the_balance_counts_images_and_patients_by_part(mixed: Dataset) -> None:
    first, second = summarise(mixed)["balance"]
    assert first == {"name": "a", "images": 2, "patients": 2, "parts": [[1, 1], [0, 0], [1, 1]]}
    assert second == {"name": "b", "images": 1, "patients": 1, "parts": [[0, 0], [1, 1], [0, 0]]}


def test_images_without_a_finding_are_counted(tmp_path: Path) -> None:
    found = summarise(
        dataset(tmp_path, row(0, labels=[]), row(1, labels=["a", "b"]), task=Task.MULTILABEL)
    )
    counts = {line["name"]: line["images"] for line in found["balance"]}
    assert counts == {"a": 1, "b": 1, NO_FINDING: 1}
    assert "Findings" in facts(found)


def test_the_list_for_the_grid(mixed: Dataset) -> None:
    listed = image_list(mixed)
    assert listed["rows"] == [7, 1, 2]
    assert listed["labels"] == [[0], [1], [0]]
    assert listed["splits"] == [0, 1, 2]


def test_one_image(mixed: Dataset) -> None:
    known = dict(image_facts(mixed, 7))
    assert known["Label"] == "a"
    assert known["Used for"] == "training"
    assert known["Size in the file"] == "640 × 480 px"
    assert known["Kept as"].startswith("96 × 96 px, 16 bits")
    assert known["Patient"].startswith("00000000… ")
    for missing in (-1, 3, 99):
        with pytest.raises(DataError, match="I47"):
            image_facts(mixed, missing)


def test_names_are_told_only_when_asked_for(mixed: Dataset) -> None:
    told = json.dumps([summarise(mixed), image_list(mixed), image_facts(mixed, 7)])
    assert not [name for name in NAMES.values() if name in told]
    assert file_name(mixed, 7) == "DOE_JANE/0.dcm"
    assert unusable_names(mixed, "P01") == {
        "names": [{"name": "ROE/3.png", "reason": "No image."}], "more": 0,
    }  # fmt: skip
    assert unusable_names(mixed, "")["names"] == []  # those that can be used are not listed
