"""Divisions that come with the data or from a file: kept, completed, or refused with a list."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.config import RunConfig, SplitSettings, with_absolute_paths
from core.data.crossings import find_crossings
from core.data.manifest import manifest_table
from core.data.split import check_split, split_images
from core.data.split_file import save_parts
from core.differences import config_differences
from core.errors import SplitError
from core.types import Task

RANDOM = np.random.default_rng(0)
PARTS = ("train", "train", "train", "validation", "test", "test")


@pytest.fixture
def table() -> pd.DataFrame:
    """60 patients with three images each; the data divide them by patient, classes in each part."""
    rows: list[dict[str, Any]] = []
    for patient in range(60):
        for view in range(3):
            name = f"{patient:02d}{view}"
            rows.append(
                {
                    "image": f"i{name}", "labels": ["ab"[patient % 2]],
                    "patient": f"p{patient:02d}", "patient_source": "column",
                    "sha256": name, "pixels_sha256": name, "phash": RANDOM.bytes(32).hex(),
                    "row": len(rows), "proposed_split": PARTS[patient // 2 % 6],
                }
            )  # fmt: skip
    return manifest_table(rows)


def split(table: pd.DataFrame, **settings: Any) -> Any:
    return split_images(table, Task.MULTICLASS, SplitSettings(**settings))


def test_a_sound_division_of_the_data_is_kept(table: pd.DataFrame) -> None:
    found = split(table)
    divided = found.applied(table)
    check_split(divided)
    assert divided["split"].tolist() == table["proposed_split"].tolist()
    assert found.origin == "proposed"
    assert found.sentence.startswith(
        "60 patients, 180 images; no patient is in two groups. Divided"
    )
    assert "as the data propose: 90 images of 30 patients for training" in found.sentence
    assert (
        split(table, origin="new").applied(table)["split"].tolist()
        != table["proposed_split"].tolist()
    )


def test_missing_parts_are_taken_out_of_training(table: pd.DataFrame) -> None:
    held = table["proposed_split"] == "test"
    table["proposed_split"] = table["proposed_split"].replace("validation", "train")
    found = split(table, validation=0.2)
    divided = found.applied(table)
    check_split(divided)
    assert (divided["split"] == "test").equals(held)
    assert (divided["split"] == "validation").mean() == pytest.approx(0.2, abs=0.04)
    assert "no validation part" in found.notes[0]
    table["proposed_split"] = "train"
    assert split(table).origin == "new"


def test_images_in_no_part_follow_their_like(table: pd.DataFrame) -> None:
    place = table.index[table["proposed_split"] == "test"][0]
    table.loc[place, "proposed_split"] = ""
    alone = table.index[table["patient"] == "p00"]
    table.loc[alone, "proposed_split"] = ""
    divided = split(table).applied(table)
    assert divided.loc[place, "split"] == "test"
    assert set(divided.loc[alone, "split"]) == {"train"}
    assert "names no part for 4 images" in split(table).notes[0]


def cross_patient(table: pd.DataFrame) -> None:
    table.loc[table["patient"] == "p01", "proposed_split"] = ["train", "train", "test"]


def cross_copy(table: pd.DataFrame) -> None:
    table.loc[table["patient"] == "p08", "sha256"] = table["sha256"].iloc[0]


def cross_alike(table: pd.DataFrame) -> None:
    near = int(table["phash"].iloc[0], 16) ^ 0b111
    table.loc[table.index[table["patient"] == "p08"][0], "phash"] = f"{near:064x}"


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (cross_patient, "patients", "1 patient in two"),
        (cross_copy, "copies", "1 picture that occurs twice in two"),
        (cross_alike, "alike", "1 pair of pictures that look alike in two"),
    ],
)
def test_a_leaking_division_is_refused_with_a_list(
    table: pd.DataFrame, spoil: Callable[[pd.DataFrame], None], kind: str, words: str
) -> None:
    assert not find_crossings(table, table["proposed_split"].tolist())
    spoil(table)
    with pytest.raises(SplitError, match=f"T04.*{words}.*Divide anew by patient"):
        split(table)
    found = find_crossings(table, table["proposed_split"].tolist())
    assert {name: number for name, number in found.counts.items() if number} == {kind: 1}
    (crossing,) = getattr(found, kind)
    assert crossing.parts == ("test", "train")
    assert set(crossing.images) <= set(table["image"])
    assert crossing.patient == ("p01" if kind == "patients" else "")
    assert json.loads(json.dumps(found.as_json()))["counts"][kind] == 1
    check_split(split(table, origin="new").applied(table))


def test_a_division_without_a_class_is_refused(table: pd.DataFrame) -> None:
    """Case 49."""
    shown = table["labels"].str[0] == "b"
    table.loc[shown & (table["proposed_split"] == "validation"), "proposed_split"] = "train"
    with pytest.raises(SplitError, match=r"T03.*validation part \(b\)"):
        split(table)


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_a_saved_division_comes_back(table: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    first = split(table, origin="new", seed=3)
    file = tmp_path / f"division{suffix}"
    save_parts(file, first.applied(table))
    assert b"p01" not in file.read_bytes()
    elsewhere = table.assign(image="j" + table["image"])  # another workspace names images otherwise
    again = split(elsewhere, file=str(file))
    assert again.origin == "file"
    assert "Divided as saved" in again.sentence
    assert again.applied(elsewhere)["split"].tolist() == first.applied(table)["split"].tolist()
    assert split(table, file=str(file)).sha256 == first.sha256
    fewer = split(table[table["patient"] != "p59"], file=str(file))
    assert "names 3 images that are not here" in fewer.notes[0]


def test_a_saved_division_that_does_not_fit_is_refused(table: pd.DataFrame, tmp_path: Path) -> None:
    file, csv = tmp_path / "d.json", tmp_path / "d.csv"
    half = split(table, origin="new").applied(table)
    save_parts(file, half[half["patient"] != "p59"])
    with pytest.raises(SplitError, match=r"T09.*3 of the 180 images \(d\.json\)"):
        split(table, file=str(file))
    file.write_text(file.read_text().replace('"test"', '"train"', 1))
    with pytest.raises(SplitError, match=r"T08.*changed after"):
        split(table, file=str(file))
    for content, code in (
        ("sha256,frame,part\n000,0,training\n", "T08.*row 2 names no part"),
        ("sha256,frame,part\n000,0,train\n000,0,test\n", "T08.*row 3 contradicts"),
        ("sha256,frame,part\n000,x,train\n", "T08.*row 2 has no frame"),
        ("sha256,part\n000,train\n", "T07.*lacks a column"),
        ("{}", "T07.*no saved division"),
        ('{"format": "bedside-split", "version": 9, "sha256": "", "images": []}', "T07.*version"),
    ):
        csv.write_text(content)
        with pytest.raises(SplitError, match=code):
            split(table, file=str(csv))
    with pytest.raises(SplitError, match=r"T07.*cannot be read"):
        split(table, file=str(tmp_path / "gone.json"))


def test_a_saved_division_is_checked_like_any_other(table: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "d.csv"
    save_parts(file, table.assign(split=table["proposed_split"]))
    cross_alike(table)
    with pytest.raises(SplitError, match=r"T04.*division in the file puts 1 pair"):
        split(table, file=str(file))


def test_settings_name_the_file_as_a_path(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("x")
    data = {"source": "demo"}
    config = RunConfig.model_validate({"data": data, "split": {"file": "mine.csv"}})
    absolute = with_absolute_paths(config, tmp_path)
    assert absolute.split.file == str(tmp_path / "mine.csv")
    assert config_differences(config, absolute) == ["split.file"]
