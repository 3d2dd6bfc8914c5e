"""Nothing that names a patient leaves the decoding child: case 30 and item 3 of the issue."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydicom import dcmread

from core.config import DataSettings
from core.data.grey_header import shown_name
from core.data.manifest import read_paths
from core.data.scan import import_dataset
from core.types import SilentReporter
from tests.data.conftest import MakeDicom, ReadAll

SECRET = "DOE^JANE"


class Listening(SilentReporter):
    def __init__(self) -> None:
        self.said: list[str] = []

    def phase(self, name: str, text: str) -> None:
        self.said.append(text)

    def alert(self, level: str, code: str, text: str) -> None:
        self.said.append(text)


def imported(source: Path, workspace: Path, reporter: SilentReporter) -> Any:
    settings = {"source": str(source), "labels": "none", "pixels": {"size_px": 32}}
    return import_dataset(DataSettings.model_validate(settings), workspace, reporter)


def everything_kept(workspace: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file but the private ones; tables as text."""
    for path in sorted(workspace.rglob("*")):
        yield str(path.relative_to(workspace)), b""
        if path.is_file() and path.name not in {"paths.parquet", "site.key"}:
            if path.suffix == ".parquet":  # its bytes count 0123456789 where values rise
                yield path.name, pd.read_parquet(path).to_csv().encode()
            else:
                yield path.name, path.read_bytes()


def names_in(path: Path) -> Iterator[str]:
    """Every spelling of the patient's name and number in a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            header = dcmread(
                path,
                specific_tags=["PatientName", "PatientID"],
                force=True,
                stop_before_pixels=True,
            )
            name, number = header.get("PatientName", ""), str(header.get("PatientID") or "")
        except Exception:  # files made to break readers
            return
    yield str(name or "").strip()
    yield number.strip() if len(number.strip()) >= 5 else ""
    for part in ("family_name", "given_name", "alphabetic", "ideographic", "phonetic"):
        found = str(getattr(name, part, "") or "")
        yield found if len(found) >= 5 else ""


@pytest.mark.realdata
@pytest.mark.slow
def test_case_30_no_name_of_any_test_file_is_kept(
    real_data: Path,
    workspace: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Character sets, broken files and all: import them and look for every name and number."""
    caplog.set_level(logging.DEBUG)
    source = real_data / "dicom"
    secrets = {
        text
        for path in source.rglob("*")
        if path.is_file()
        for text in names_in(path)
        if len(text) >= 4 and any(map(str.isalnum, text))
    }
    caplog.clear()
    assert len(secrets) > 80
    reporter = Listening()
    dataset = imported(source, workspace, reporter)
    assert len(dataset.usable()) > 400
    said = " ".join([*reporter.said, caplog.text, *capfd.readouterr()]).encode()
    kept = [*everything_kept(workspace), ("said", said)]
    found = {
        (name, text)
        for name, content in kept
        for text in secrets
        if text.encode() in content or text in name
    }
    assert found == set()


def marked(make_dicom: MakeDicom, **tags: Any) -> bytes:
    return make_dicom(np.arange(64, dtype=np.uint16).reshape(8, 8), **tags)


def test_no_free_text_of_a_header_is_kept(
    tmp_path: Path, workspace: Path, make_dicom: MakeDicom
) -> None:
    source = tmp_path / SECRET
    source.mkdir()
    content = marked(
        make_dicom, Modality="XX", WindowCenter="20", WindowWidth="40", RescaleIntercept="0",
        WindowCenterWidthExplanation="XXXXXXXX", PatientID="PAT90210",
        StudyInstanceUID="1.2.3.4", SeriesInstanceUID="1.2.3.5", ImageComments=SECRET,
    )  # fmt: skip
    content = content.replace(b"XXXXXXXX", SECRET.encode()).replace(b"XX", b"DO")
    (source / f"{SECRET}.dcm").write_bytes(content)
    (source / f"{SECRET}.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    dataset = imported(source, workspace, Listening())
    assert set(read_paths(dataset.folder).values()) == {f"{SECRET}.dcm", f"{SECRET}.png"}
    for name, kept in everything_kept(workspace):
        for secret in (SECRET, "PAT90210", "1.2.3.4", "1.2.3.5"):
            assert secret.encode() not in kept
            assert secret not in name
    (row,) = dataset.usable().to_dict("records")
    assert row["windows"] == "window 1 20/40"
    assert row["modality"] == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("WINDOW1", "WINDOW1"),
        ("Soft Tissue", "SOFT TISSUE"),
        ("LUNG_2", "LUNG_2"),
        ("Doe Jane", ""),
        ("LUNG DOE", ""),
        ("", ""),
        ("12345678", ""),
    ],
)
def test_only_ordinary_words_of_a_window_are_shown(text: str, shown: str) -> None:
    assert shown_name(text) == shown


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"BurnedInAnnotation": "YES", "Modality": "MR"}, "yes"),
        ({"BurnedInAnnotation": "NO"}, "no"),
        ({}, "possible"),  # a secondary capture
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR"}, ""),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "ConversionType": "DF"}, "possible"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1", "Modality": "US"}, "possible"),
    ],
)
def test_text_in_the_pixels_is_suspected(
    make_dicom: MakeDicom, read_all: ReadAll, tags: dict[str, str], expected: str
) -> None:
    tags = {"Modality": "MR"} | tags
    (raster,) = read_all(marked(make_dicom, **tags))
    assert raster.marks.burned_in == expected
    assert ("text is burned into the picture" in raster.notes) == (expected == "yes")


def test_overlays_faces_and_burned_in_text_are_told(
    tmp_path: Path, workspace: Path, make_dicom: MakeDicom, read_all: ReadAll
) -> None:
    header = dcmread(io.BytesIO(marked(make_dicom, RecognizableVisualFeatures="YES")))
    header.add_new(0x60000010, "US", 8)
    header.add_new(0x60000011, "US", 8)
    header.add_new(0x60003000, "OW", b"\xff" * 8)
    written = io.BytesIO()
    header.save_as(written, enforce_file_format=True)
    (raster,) = read_all(written.getvalue())
    assert raster.marks.overlays == 1
    assert raster.notes == ("1 overlay not drawn", "a face may be recognisable")
    plain = marked(make_dicom)
    (bare,) = read_all(plain)
    assert np.array_equal(bare.pixels, raster.pixels)
    source = tmp_path / "source"
    source.mkdir()
    (source / "1.dcm").write_bytes(written.getvalue())
    other = np.arange(64, dtype=np.uint16)[::-1].reshape(8, 8)
    (source / "2.dcm").write_bytes(make_dicom(other, BurnedInAnnotation="YES"))
    notes = " ".join(imported(source, workspace, Listening()).notes)
    assert "1 images say that text is burned into them" in notes
    assert "1 images are of a kind that often carries burned-in text" in notes
    assert "1 images carry overlays" in notes
