"""What settings would give, told before anything is read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Literal

import pytest

from app.preview import Names, as_settings, describe, describe_columns, propose
from core.config import DataSettings
from core.errors import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six images of three patients in two classes, a table, and what is no image."""
    folder = tmp_path / "images"
    for number in range(6):
        name = "benign" if number < 4 else "malignant"
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"P{number // 2}_{number % 2}.png").touch()
    (folder / "list.csv").write_text("name;grade;who\nP0_0.png;low;a\nP2_0.png;high;b\n")
    (folder / "SHA256SUMS").touch()
    (folder / ".hidden").touch()
    return folder


def zipped(root: Path) -> Path:
    """The same in an archive."""
    return Path(shutil.make_archive(str(root), "zip", root))


def told(root: Path, **settings: Any) -> str:
    return " ".join(describe(DataSettings(source=str(root), **settings), root, Names()))


def test_folders(root: Path) -> None:
    said = told(root)
    assert "6 files look like images." in said
    assert "2 classes from the folders: benign (4), malignant (2)." in said
    assert "Neither table nor pattern names a patient." in said
    assert "list.csv (name, grade, who)" in said


def test_a_table(root: Path) -> None:
    columns = {"file_column": "name", "label_columns": ("grade",), "patient_column": "who"}
    said = told(root, labels="csv", table="list.csv", **columns)
    assert "2 classes from the table: low (1), high (1)." in said
    assert "4 files have no label." in said
    assert "The table names 2 patients for 2 files." in said


def test_columns_that_are_not_there(root: Path) -> None:
    said = told(root, labels="csv", table="list.csv")
    assert "has no column 'file', 'label'" in said
    assert "grade" in said


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"^(P\d+)_", "The pattern finds 3 patients in 6 names."),
        (r"^(P[01])_", "2 names do not fit it, for example P2_0.png."),
        (r"P\d+", "no group in parentheses"),
        (r"(P", "not a regular expression"),
    ],
)
def test_a_pattern(root: Path, pattern: str, words: str) -> None:
    assert words in told(root, patient_pattern=pattern)


def test_no_pattern_stops_the_server(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "benign" / f"{'a' * 60}!.png").touch()
    monkeypatch.setattr("core.data.pattern.TIMEOUT_S", 1.0)
    assert "takes too long" in told(root, patient_pattern=r"^(([a-z])+.)+[A-Z]([a-z])+$")


def test_one_class_or_none(root: Path, tmp_path: Path) -> None:
    for file in (root / "malignant").iterdir():
        file.unlink()
    assert "Only one class" in told(root)
    assert "No class" in told(root, labels="none")
    (tmp_path / "empty").mkdir()
    assert "no file that looks like an image" in told(tmp_path / "empty")
    with pytest.raises(DataError, match="I01"):
        told(tmp_path / "gone")


def test_columns_are_proposed_where_the_named_ones_are_missing(root: Path) -> None:
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    lines = [
        f"{name};{'ill' if place % 2 else 'well'};P{place}" for place, name in enumerate(files)
    ]
    (root / "labels.csv").write_text("\n".join(["Bild;Diagnosis;Patient", *lines]), "utf-8")
    said = told(root)
    assert "has no column 'file', 'label'" in said
    assert "file: Bild; label: Diagnosis; patient: Patient." in said


def test_columns_as_they_seem_can_be_used(root: Path) -> None:
    settings = DataSettings(source=str(root), labels="csv", table="list.csv")
    found = propose(settings, root, Names())
    assert describe_columns(found) == "file: name; label: grade"
    chosen = as_settings(found)
    assert chosen == {"file_column": "name", "label_columns": ("grade",)}
    assert "2 classes from the table" in told(root, labels="csv", table="list.csv", **chosen)


@pytest.mark.parametrize("labels", ["auto", "csv"])
def test_an_archive_is_told_of_like_its_folder(root: Path, labels: Literal["auto", "csv"]) -> None:
    """Its table too, and which columns it seems to have."""
    assert told(zipped(root)) == told(root)
    (root / "list.csv").rename(root / "labels.csv")
    packed = zipped(root)
    assert "file: name; label: grade" in told(packed, labels=labels)
    settings = DataSettings(source=str(packed), labels=labels)
    chosen = as_settings(propose(settings, packed, Names()))
    assert chosen == {"file_column": "name", "label_columns": ("grade",)}
    said = told(packed, labels=labels, **chosen)
    assert said == told(root, labels=labels, **chosen)
    assert "2 classes from the table: low (1), high (1)." in said
