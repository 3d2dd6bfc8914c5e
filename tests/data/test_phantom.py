"""The demo data: seeded, recovered exactly through DICOM, honest about what it is."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng
from PIL import Image
from pydicom import dcmread

from core.config import DataSettings, SplitSettings
from core.data.phantom import CLASSES, dicom_bytes, draw_case, render_case, write_demo
from core.data.scan import import_dataset
from core.data.split import check_split, split_images
from core.types import SilentReporter, Task


def test_the_folder_and_its_table(tmp_path: Path) -> None:
    images = write_demo(tmp_path / "demo", patients=6, images_per_patient=2, size_px=48)
    with (images / "labels.csv").open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 12
    assert {row["label"] for row in rows} == set(CLASSES)
    assert sorted(path.name for path in images.iterdir()) == sorted(
        [*(r["file"] for r in rows), "labels.csv"]
    )
    assert sum(row["file"].endswith(".dcm") for row in rows) == 6
    header = dcmread(images / "p0000_0.dcm")
    assert "Synthetic" in header.ImageComments
    assert header.PatientID == "PHANTOM-0000"
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.dcm")}
    assert write_demo(tmp_path / "demo", patients=6, images_per_patient=2, size_px=48) == images
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.dcm")} == before


def test_equal_seeds_equal_pictures(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_demo(tmp_path / name, seed=seed, patients=2, images_per_patient=1, size_px=32)
    content = {name: (tmp_path / name / "images" / "p0000_0.dcm").read_bytes() for name in "abc"}
    assert content["a"] == content["b"] != content["c"]


def test_every_dicom_variant_gives_the_picture_back(read: Any) -> None:
    picture = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
    windows = set()
    for seed in range(12):
        raster = read(dicom_bytes(picture, "P", default_rng(seed), uid="2.25.9"))
        np.testing.assert_allclose(raster.pixels, picture, atol=1 / 2000)
        windows.add("inverted" in raster.window)
    assert windows == {True, False}


def test_the_lesion_is_darker_and_inside_its_mask() -> None:
    for number in range(6):
        case = draw_case(default_rng(number), CLASSES[number % 2])
        picture, mask = render_case(case, default_rng([number, 1]), 128)
        assert picture.dtype == np.float32
        assert 0 <= picture.min() < picture.max() <= 1
        assert 0.02 < mask.mean() < 0.3
        rows = np.flatnonzero(mask.any(axis=1))
        around = picture[rows[0] : rows[-1]][~mask[rows[0] : rows[-1]]]
        assert picture[mask].mean() < around.mean() - 0.05


def test_the_demo_is_imported_as_synthetic_with_patients_across_formats(
    workspace: Path, monkeypatch: Any
) -> None:
    write_demo(workspace / "small", patients=12, images_per_patient=2, size_px=48)
    drawn = workspace / "small" / "images"
    monkeypatch.setattr("core.data.scan.write_demo", lambda folder, progress: drawn)
    settings = DataSettings.model_validate({"source": "demo", "pixels": {"size_px": 48}})
    dataset = import_dataset(settings, workspace, SilentReporter())
    assert dataset.synthetic
    assert dataset.classes == CLASSES
    usable = dataset.usable()
    assert len(usable) == 24
    assert set(usable["patient_source"]) == {"header", "column"}
    assert usable["patient"].nunique() == 12
    split = split_images(dataset.images, Task.MULTICLASS, SplitSettings())
    check_split(split.applied(dataset.images))
    assert split.notes == ()
    mask = np.asarray(Image.open(workspace / "small" / "masks" / "p0000_0.png"))
    assert set(np.unique(mask)) == {0, 255}
