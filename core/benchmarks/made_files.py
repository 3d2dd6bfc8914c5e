"""Files for the import benchmark: slices as a CT scanner writes them, and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

CLASSES = ("benign", "malignant")
PER_PATIENT = 5
SLICE_PX, PICTURE_PX, SMALL_PX = 512, 256, 64
AIR, TISSUE, NOISE = 0.0, 1100.0, 40.0  # stored values of a CT with an intercept of -1024


def write_slices(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Write CT slices of 512 x 512 pixels, 16 bits, uncompressed, in one folder for each class.

    Args:
        folder: Where to.
        count: How many; `PER_PATIENT` make one series of one patient.
        seed: Of the noise.

    Returns:
        The files.
    """
    random = np.random.default_rng(seed)
    body = _disc(SLICE_PX) * (TISSUE - AIR) + AIR
    files = []
    for number in range(count):
        if number % PER_PATIENT == 0:
            study, series = generate_uid(), generate_uid()
        values = body + random.normal(0.0, NOISE, body.shape)
        pixels = np.clip(values, 0, 65535).astype("<u2")
        path = _place(folder, number, ".dcm")
        _slice(pixels, number, study, series).save_as(path, enforce_file_format=True)
        files.append(path)
    return files


def write_pictures(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Write grey PNG files of 256 x 256 pixels, 8 bits, in one folder for each class."""
    random = np.random.default_rng(seed)
    body = _disc(PICTURE_PX) * 160.0
    files = []
    for number in range(count):
        values = np.clip(body + random.normal(20.0, 4.0, body.shape), 0, 255)
        path = _place(folder, number, ".png")
        Image.fromarray(values.astype(np.uint8)).save(path)
        files.append(path)
    return files


def write_small_pictures(folder: Path, count: int, seed: int = 0) -> None:
    """Write PNG files of 64 x 64 pixels and ``labels.csv``, which names their patients."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    rows = ["file,label,patient_id"]
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8))
        name = f"{number // 1000:03d}/{number:06d}.png"
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        coarse.resize((SMALL_PX, SMALL_PX), Image.Resampling.BILINEAR).save(path, compress_level=1)
        patient = number // PER_PATIENT
        rows.append(f"{name},{CLASSES[patient % 2]},P{patient:06d}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _place(folder: Path, number: int, suffix: str) -> Path:
    path = folder / CLASSES[number // PER_PATIENT % 2] / f"{number:06d}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _disc(side: int) -> NDArray[np.float64]:
    """1 inside a circle of three quarters of the side, 0 outside."""
    steps = np.linspace(-1, 1, side)
    inside = steps[:, None] ** 2 + steps[None] ** 2 < 0.75**2
    return inside.astype(np.float64)


def _slice(pixels: NDArray[np.uint16], number: int, study: str, series: str) -> Dataset:
    patient, place = divmod(number, PER_PATIENT)
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID = study, series
    made.PatientID, made.PatientName = f"P{patient:06d}", f"Made^{patient}"
    made.Modality, made.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.Manufacturer, made.ManufacturerModelName, made.StationName = "Made", "Up", "CT1"
    made.InstanceNumber = place + 1
    made.ImagePositionPatient = [-180, -180, 5 * place]
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.PixelSpacing, made.SliceThickness = [0.7, 0.7], 5
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = pixels.shape
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.RescaleSlope, made.RescaleIntercept, made.RescaleType = 1, -1024, "HU"
    made.WindowCenter, made.WindowWidth = [40, -600], [400, 1500]
    made.PixelData = pixels.tobytes()
    return made
