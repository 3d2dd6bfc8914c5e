"""Predictions for files: one line each, none dropped, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from core.inference.batch import predict_paths, write_predictions
from core.inference.export import freeze_thresholds
from core.inference.predictor import OnnxPredictor, Predictor
from core.types import SilentReporter, Stopped
from tests.inference.conftest import Exported
from tests.inference.samples import lesions


class Listener(SilentReporter):
    """Keeps what it is told."""

    def __init__(self, *, stop: bool = False) -> None:
        self.said: list[str] = []
        self.stop = stop

    def phase(self, name: str, text: str) -> None:
        self.said.append(f"{name} {text}")

    def progress(self, done: int, total: int) -> None:
        self.said.append(f"{done}/{total}")

    def stop_requested(self) -> bool:
        return self.stop


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two pictures (one with a lesion), a text, a colour picture and a file that is not there."""
    folder = tmp_path / "Müller, Anna"
    (folder / "more").mkdir(parents=True)
    pictures = [
        Image.fromarray((image[0].numpy() * 255).round().astype(np.uint8))
        for image in lesions(2, seed=11)[0]
    ]
    names = ["=cmd.png", "more/b.png", "text.png", "colour.png", "absent.png"]
    paths = [folder / name for name in names]
    pictures[0].save(paths[0])
    pictures[1].save(paths[1])
    paths[2].write_text("no picture", encoding="utf-8")
    Image.new("RGB", (64, 64), "red").save(paths[3])
    return paths


def test_every_file_has_its_line(exported: Exported, files: list[Path]) -> None:
    listener = Listener()
    classifier = Predictor.open(exported.folder)
    table = predict_paths(classifier, files, listener)
    assert table["file"].tolist() == [
        "=cmd.png", "more/b.png", "text.png", "colour.png", "absent.png",
    ]  # fmt: skip
    assert table["code"].tolist() == ["", "", "P01", "M46", "I02"]
    assert table["predicted"].tolist() == ["benign", "malignant", "", "", ""]
    assert all(table["reason"][2:])
    images, _, _ = lesions(2, seed=11)
    wanted = classifier.probabilities((images * 255).round() / 255)
    np.testing.assert_allclose(table[["p_benign", "p_malignant"]][:2], wanted, atol=1e-5)
    assert table["p_benign"][2:].isna().all()
    assert table["above_malignant"].tolist()[:2] == [
        score >= 0.4 for score in table["p_malignant"][:2]
    ]
    assert table["above_benign"].isna().all()  # no threshold was chosen for it
    heard = " ".join(listener.said)
    assert "5/5" in heard
    assert not any(part in heard for part in ("cmd", "Müller", "text"))


def test_both_backends_give_one_table(exported: Exported, files: list[Path]) -> None:
    tables = [
        predict_paths(backend.open(exported.folder), files, SilentReporter())
        for backend in (Predictor, OnnxPredictor)
    ]
    pd.testing.assert_frame_equal(*tables, atol=1e-5, rtol=0)


def test_the_csv_holds_no_formula(exported: Exported, files: list[Path], folder: Path) -> None:
    freeze_thresholds(folder, {"malignant": 0.4, "benign": 0.6})
    table = predict_paths(Predictor.open(folder), files, SilentReporter())
    target = folder / "predictions.csv"
    write_predictions(table, target)
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    with target.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert rows[0]["file"] == "'=cmd.png"
    assert rows[1]["above_malignant"] == "yes"
    assert rows[2]["p_benign"] == ""
    assert float(rows[0]["p_benign"]) == pytest.approx(table["p_benign"][0], abs=1e-6)
    assert len(rows) == 5


def test_every_frame_of_a_film_has_its_line(exported: Exported, tmp_path: Path) -> None:
    """Frames are numbered from 1, as viewers count them; a single picture has no number."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.3.1", "2.25.8"
    header.Rows = header.Columns = 64
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation, header.NumberOfFrames = 7, 0, 20
    pictures = (lesions(20, seed=3)[0].numpy()[:, 0] * 255).round().astype(np.uint8)
    header.PixelData = pictures.tobytes()
    header.save_as(tmp_path / "film.dcm", enforce_file_format=True)
    Image.fromarray(pictures[0]).save(tmp_path / "one.png")
    paths = [tmp_path / name for name in ("film.dcm", "one.png", "absent.dcm")]
    listener = Listener()
    table = predict_paths(Predictor.open(exported.folder), paths, listener)
    numbered = [f"film.dcm#{number}" for number in range(1, 21)]
    assert table["file"].tolist() == [*numbered, "one.png", "absent.dcm"]
    assert table["p_malignant"].iloc[0] == pytest.approx(table["p_malignant"].iloc[20], abs=1e-6)
    assert table.index.tolist() == [*[0] * 20, 1, 2]  # places of the paths
    assert table["p_malignant"].iloc[:20].nunique() == 20
    assert listener.said[-1] == "3/3"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", '=HYPERLINK("x")'],
)
def test_dangerous_text_is_disarmed(text: str, tmp_path: Path) -> None:
    write_predictions(pd.DataFrame({text: [text], "n": [-0.5]}), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as opened:
        header, row = list(csv.reader(opened))
    assert header[0].startswith("'")
    assert row[0].startswith("'")
    assert "\n" not in row[0]
    assert row[1] == "-0.500000"  # a number is not a formula


def test_a_name_that_is_no_text_does_not_end_the_table(exported: Exported, tmp_path: Path) -> None:
    classifier = Predictor.open(exported.folder)
    table = predict_paths(classifier, [tmp_path / "a\udcff.png"], SilentReporter())
    write_predictions(table, tmp_path / "t.csv")
    assert b"a\\udcff.png,I02," in (tmp_path / "t.csv").read_bytes()


def test_no_files_give_an_empty_table(exported: Exported) -> None:
    table = predict_paths(Predictor.open(exported.folder), [], SilentReporter())
    assert len(table) == 0
    assert {"file", "code", "p_benign", "predicted", "above_malignant"} <= set(table.columns)


def test_stop_is_heard(exported: Exported, files: list[Path]) -> None:
    with pytest.raises(Stopped):
        predict_paths(Predictor.open(exported.folder), files * 4, Listener(stop=True))
