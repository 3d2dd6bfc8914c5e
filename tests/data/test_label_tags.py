"""Labels from a DICOM field: any that holds a class, none that names a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.config import DataSettings
from core.data.scan import import_dataset
from core.data.tags import check_tag
from core.errors import ConfigError
from core.types import SilentReporter
from tests.data.conftest import MakeDicom


def imported(source: Path, workspace: Path, tag: str) -> Any:
    settings = {
        "source": str(source), "labels": "tag", "label_tag": tag, "pixels": {"size_px": 32},
    }  # fmt: skip
    return import_dataset(DataSettings.model_validate(settings), workspace, SilentReporter())


@pytest.fixture
def source(tmp_path: Path, make_dicom: MakeDicom) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for number, part in enumerate(["CHEST", "HEAD", "CHEST", None]):
        stored = np.random.default_rng(number).integers(0, 4096, (16, 16), dtype=np.uint16)
        tags = {} if part is None else {"BodyPartExamined": part}
        (folder / f"{number}.dcm").write_bytes(make_dicom(stored, **tags))
    return folder


@pytest.mark.parametrize("name", ["BodyPartExamined", "(0018,0015)", "00180015"])
def test_a_field_is_the_class(source: Path, workspace: Path, name: str) -> None:
    dataset = imported(source, workspace, name)
    assert dataset.classes == ("CHEST", "HEAD")
    assert [list(names) for names in dataset.usable()["labels"]] == [["CHEST"], ["HEAD"], ["CHEST"]]
    assert dataset.excluded().values.tolist() == [
        ["L09", "The field chosen as the label is empty or not there.", 1]
    ]


def test_pictures_without_fields_have_no_label(
    source: Path, workspace: Path, write_picture: Any
) -> None:
    write_picture(source / "plain.png")
    assert imported(source, workspace, "BodyPartExamined").excluded()["count"].tolist() == [2]


@pytest.mark.parametrize(
    "name",
    ["PatientName", "PatientID", "(0010,0020)", "StudyDate", "AccessionNumber", "SOPInstanceUID",
     "StudyDescription", "InstitutionName", "ImageComments", "PixelData", "NoSuchField", ""],
)  # fmt: skip
def test_fields_that_may_name_a_patient_are_refused(
    source: Path, workspace: Path, name: str
) -> None:
    with pytest.raises(ConfigError, match="C14"):
        check_tag(name)
    with pytest.raises(ConfigError, match="C14"):
        imported(source, workspace, name)
