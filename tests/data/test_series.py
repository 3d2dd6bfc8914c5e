"""Series of slices: cases 27 to 29 and 31, and how copies and gaps are told from what is meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.config import DataSettings
from core.data.manifest import Dataset, manifest_table
from core.data.scan import import_dataset
from core.data.series import arrange
from core.types import SilentReporter
from tests.data.conftest import MakeDicom, ReadAll

AXIAL = ["1", "0", "0", "0", "1", "0"]
SAGITTAL = ["0", "1", "0", "0", "0", "-1"]
WriteSlice = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "series"
    root.mkdir()
    return root


@pytest.fixture
def write_slice(folder: Path, make_dicom: MakeDicom) -> WriteSlice:
    """Write one slice; its pixels depend on `look` alone, its object number on its name."""

    def write(name: str, z: float | None, *, look: int, number: int = 1, **tags: Any) -> None:
        stored = np.random.default_rng(look).integers(0, 4096, (16, 16), dtype=np.uint16)
        place = {} if z is None else {"ImagePositionPatient": ["-10", "5", str(z)]}
        facts = {
            "Modality": "MR", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4",
            "SOPInstanceUID": f"1.2.3.4.{look}.{number}", "InstanceNumber": number,
            "ImageOrientationPatient": AXIAL, "BitsStored": 12, "HighBit": 11,
        }  # fmt: skip
        (folder / name).write_bytes(make_dicom(stored, **facts | place | tags))

    return write


def imported(folder: Path, workspace: Path) -> Dataset:
    settings = {"source": str(folder), "labels": "none", "pixels": {"size_px": 32}}
    return import_dataset(DataSettings.model_validate(settings), workspace, SilentReporter())


def test_case_27_slices_are_ordered_by_position(
    folder: Path, workspace: Path, write_slice: WriteSlice
) -> None:
    depths = dict(zip(range(12), np.random.default_rng(1).permutation(12), strict=True))
    for name, place in depths.items():
        write_slice(f"IM{name}", 3.0 * place - 7, look=name, number=(7 * name) % 12)
    images = imported(folder, workspace).images
    assert images["stack"].nunique() == 1
    assert images.sort_values("slice")["position_mm"].tolist() == [3.0 * n - 7 for n in range(12)]
    assert sorted(images["slice"]) == list(range(1, 13))
    assert images["series"].nunique() == images["study"].nunique() == 1
    assert not images["series"].str.contains("1.2.3", regex=False).any()


def test_case_28_a_missing_slice_is_named(
    folder: Path, workspace: Path, write_slice: WriteSlice
) -> None:
    for place in range(12):
        if place != 7:
            write_slice(f"IM{place}", 3.0 * place, look=place)
    dataset = imported(folder, workspace)
    stack = dataset.images["stack"].iloc[0]
    note = f"Series with gaps: in stack {stack} a slice is missing between slices 7 and 8."
    assert note in dataset.notes
    after = dataset.images.set_index("slice").loc[8]
    assert after["notes"] == "a slice is missing before this one"
    assert after["position_mm"] == 24


def test_case_28_a_repeated_slice_is_used_once(
    folder: Path, workspace: Path, write_slice: WriteSlice
) -> None:
    for place in range(4):
        write_slice(f"IM{place}", 3.0 * place, look=place)
    write_slice("copy of IM2", 6.0, look=2)  # the same object again
    write_slice("sent twice", 3.0, look=1, number=9)  # the same slice under another number
    write_slice("IM9", 9.0, look=8)  # another picture of one place: a second phase, kept
    dataset = imported(folder, workspace)
    assert dataset.excluded().values.tolist() == [
        ["D51", "The same slice of a series occurs a second time.", 2]
    ]
    assert dataset.usable().sort_values("slice")["position_mm"].tolist() == [0, 3, 6, 9, 9]
    assert "2 slices occur twice in their series; each is used once." in dataset.notes


def test_case_29_a_localiser_is_a_stack_of_its_own(
    folder: Path, workspace: Path, write_slice: WriteSlice
) -> None:
    for place in range(3):
        write_slice(f"IM{place}", 3.0 * place, look=place)
    write_slice("IM3", 0.0, look=9, ImageOrientationPatient=SAGITTAL)
    images = imported(folder, workspace).images
    assert images["series"].nunique() == 1
    assert sorted(images.groupby("stack").size()) == [1, 3]
    assert sorted(images["orientation"].unique()) == [
        "0.00,1.00,0.00,0.00,0.00,-1.00", "1.00,0.00,0.00,0.00,1.00,0.00",
    ]  # fmt: skip


def test_slices_without_a_position_follow_the_scanners_number(
    folder: Path, workspace: Path, write_slice: WriteSlice
) -> None:
    for name, number in {"a": 10, "b": 2, "c": 1}.items():
        write_slice(name, None, look=number, number=number)
    images = imported(folder, workspace).images
    assert images.sort_values("slice")["number"].tolist() == [1, 2, 10]
    assert images["position_mm"].isna().all()


def test_an_examination_stands_for_a_patient_nobody_names(
    folder: Path, workspace: Path, write_slice: WriteSlice
) -> None:
    for place in range(4):
        study = f"1.2.{place // 2}"
        write_slice(f"IM{place}", 1.0 * place, look=place, PatientID=None, StudyInstanceUID=study)
    dataset = imported(folder, workspace)
    assert dataset.images["patient_source"].unique().tolist() == ["study"]
    assert dataset.images["patient"].nunique() == 2
    assert "each examination counts as a patient" in " ".join(dataset.notes)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (
            {"PixelSpacing": ["0.2", "0.4"], "ImagerPixelSpacing": ["0.3", "0.7"]},
            (0.2, 0.4, "patient"),
        ),
        ({"ImagerPixelSpacing": ["0.3", "0.7"]}, (0.3, 0.7, "detector")),
        ({"NominalScannedPixelSpacing": ["0.1", "0.1"]}, (0.1, 0.1, "film")),
        ({"PixelSpacing": ["0", "0.4"]}, None),
        ({"PixelSpacing": ["0.4"]}, None),
        ({}, None),
    ],
)
def test_case_31_the_distance_at_the_patient_comes_first(
    make_dicom: MakeDicom,
    read_all: ReadAll,
    tags: dict[str, list[str]],
    expected: tuple[float, float, str] | None,
) -> None:
    (raster,) = read_all(make_dicom(np.zeros((4, 4), np.uint8), **tags))
    place = raster.place
    if expected is None:
        assert np.isnan([place.row_mm, place.column_mm]).all()
        assert place.spacing == ""
    else:
        assert (place.row_mm, place.column_mm, place.spacing) == expected


def rows(positions: list[float]) -> pd.DataFrame:
    return manifest_table(
        {
            "image": str(n), "series": "s", "instance": str(n), "pixels_sha256": str(n), "row": n,
            "orientation": "o", "position_mm": z,
        }
        for n, z in enumerate(positions)
    )  # fmt: skip


def test_irregular_steps_are_no_gaps() -> None:
    _, notes = arrange(rows([0, 1, 5, 6, 14, 15, 31]))
    assert notes == []
    _, notes = arrange(rows([0, 1, 2, 3, 7, 8, 9, 10, 11]))
    assert "3 slices are missing between slices 4 and 5" in notes[0]
    images, notes = arrange(rows([0, 0, 1, 1, 2, 2, 4, 4]))  # two phases of every place
    assert "a slice is missing between slices 6 and 7" in notes[0]
    assert (images["code"] == "").all()
