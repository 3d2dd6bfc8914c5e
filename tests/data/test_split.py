"""Patients are divided, never a patient; classes are everywhere; impossible wishes are errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.config import SplitSettings
from core.data.manifest import manifest_table
from core.data.split import check_split, split_images
from core.errors import SplitError
from core.types import Task

RANDOM = np.random.default_rng(0)


def images(
    patients: int = 60, each: int = 3, classes: tuple[str, ...] = ("a", "b")
) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for number in range(patients):
        for view in range(each):
            name = f"{number:04d}{view:02d}"
            rows.append(
                {
                    "image": f"i{name}", "labels": [classes[number % len(classes)]],
                    "patient": f"p{number:04d}", "patient_source": "column", "sha256": name,
                    "pixels_sha256": name, "phash": RANDOM.bytes(32).hex(), "row": len(rows),
                }
            )  # fmt: skip
    return manifest_table(rows)


def test_shares_strata_and_patients() -> None:
    table = images()
    split = split_images(table, Task.MULTICLASS, SplitSettings())
    divided = split.applied(table)
    check_split(divided)
    assert divided["split"].value_counts().to_dict() == {"train": 108, "validation": 36, "test": 36}
    counts = pd.crosstab(divided["split"], divided["labels"].str[0])
    assert (counts["a"] == counts["b"]).all()
    assert "108 images of 36 patients for training" in split.sentence
    assert split.notes == ()


def test_the_seed_decides_and_order_does_not() -> None:
    table = images()
    first = split_images(table, Task.MULTICLASS, SplitSettings(seed=1))
    shuffled = table.sample(frac=1, random_state=0)
    assert split_images(shuffled, Task.MULTICLASS, SplitSettings(seed=1)).sha256 == first.sha256
    assert split_images(table, Task.MULTICLASS, SplitSettings(seed=2)).sha256 != first.sha256


@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.1), (0.15, 0.3), (0.25, 0.2)])
def test_other_shares(validation: float, test: float) -> None:
    table = images(200)
    split = split_images(table, Task.MULTICLASS, SplitSettings(validation=validation, test=test))
    shares = split.applied(table)["split"].value_counts(normalize=True)
    assert shares["validation"] == pytest.approx(validation, abs=0.03)
    assert shares["test"] == pytest.approx(test, abs=0.03)


def test_copies_and_look_alikes_stay_together() -> None:
    table = images(30, 1)
    table.loc[[0, 10], "sha256"] = "same file"
    table.loc[[1, 11], "pixels_sha256"] = "same pixels"
    table.loc[12, "phash"] = f"{int(table.loc[2, 'phash'], 16) ^ 0b1011:064x}"
    for seed in range(5):
        split = split_images(table, Task.MULTICLASS, SplitSettings(seed=seed))
        divided = split.applied(table)
        check_split(divided)
        for one, other in ((0, 10), (1, 11), (2, 12)):
            assert divided.loc[one, "split"] == divided.loc[other, "split"]
            assert divided.loc[one, "group"] == divided.loc[other, "group"]
        assert "6 images look the same as another (3 clusters" in split.notes[0]


def test_rare_classes_reach_every_part() -> None:
    table = images(80, 2)
    table.loc[:5, "labels"] = pd.Series([["rare"]] * 6)  # three patients
    split = split_images(table, Task.MULTICLASS, SplitSettings())
    divided = split.applied(table)
    rare = divided[divided["labels"].str[0] == "rare"]
    assert set(rare["split"]) == {"train", "validation", "test"}
    assert (divided["split"] == "train").mean() == pytest.approx(0.6, abs=0.06)


def test_unusable_images_are_in_no_part() -> None:
    table = images()
    table.loc[0, "code"] = "D12"
    divided = split_images(table, Task.MULTICLASS, SplitSettings()).applied(table)
    assert divided.loc[0, ["split", "group"]].tolist() == ["", ""]
    check_split(divided)


def test_findings_are_stratified() -> None:
    table = images(90, 2)
    table["labels"] = [
        [name for name, every in (("A", 2), ("B", 3), ("C", 9)) if number // 2 % every == 0]
        for number in range(len(table))
    ]
    divided = split_images(table, Task.MULTILABEL, SplitSettings()).applied(table)
    check_split(divided)
    for name in "ABC":
        shown = divided["labels"].map(lambda labels, name=name: name in labels)
        assert shown.groupby(divided["split"]).nunique().tolist() == [2, 2, 2]


def test_impossible_divisions_are_named() -> None:
    """Cases 45 and 46."""
    with pytest.raises(SplitError, match="T01"):
        split_images(images(20, 1, ("a",)), Task.MULTICLASS, SplitSettings())
    table = images(20)
    table.loc[:5, "labels"] = pd.Series([["rare"]] * 6)  # two patients
    with pytest.raises(SplitError, match=r"T02.*2 independent patients.*\(rare\)"):
        split_images(table, Task.MULTICLASS, SplitSettings())


def test_a_wrong_split_is_found() -> None:
    """Case 50."""
    table = images()
    divided = split_images(table, Task.MULTICLASS, SplitSettings()).applied(table)
    first = divided.index[divided["split"] == "train"][0]
    wrong = divided.copy()
    wrong.loc[first, "split"] = "test"
    with pytest.raises(SplitError, match=r"T04.*patient"):
        check_split(wrong)
    copied = divided.copy()
    copied.loc[copied["split"] == "test", "sha256"] = copied.loc[first, "sha256"]
    with pytest.raises(SplitError, match=r"T04.*picture"):
        check_split(copied)
    none = divided.copy()
    none.loc[first, "split"] = ""
    with pytest.raises(SplitError, match="T05"):
        check_split(none)
