"""Demo data: synthetic ultrasound-like pictures of two kinds of lesion, made of random numbers.

The picture is made as a scanner makes one: layered tissue reflects, coherent scatter gives speckle
(the envelope of band-limited complex noise), depth attenuates, the logarithm compresses. Lesions of
class ``round`` have a smooth elliptic outline; those of class ``irregular`` are lobed, ill-defined,
uneven inside and on the whole darker and taller, with overlap. Everything outside the lesion varies
by patient (gain, speckle, layers, shadow or enhancement below it) and tells nothing of the class:
a heat-map has one right place to be. Nothing here is anatomy.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID
from scipy import ndimage

from core.data.picture import Array
from core.files import read_json, write_bytes, write_json

CLASSES = ("irregular", "round")
PHANTOM_VERSION = 1
# How far the classes lie apart in outline, aspect and darkness, in (0, 1]: how hard the task is.
# At 0.5, MobileNetV3-small 0.5 from scratch (128 px, 20 epochs) reaches a validation AUROC of 0.82,
# 0.82 and 0.89 over three seeds, ResNet-10t 0.90 and 0.91 over two.
CLASS_CONTRAST = 0.45
DYNAMIC_RANGE_DB = 54.0
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"


def write_demo(
    folder: Path,
    *,
    seed: int = 0,
    patients: int = 240,
    images_per_patient: int = 3,
    size_px: int = 128,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the demo data, or find it written.

    Half of the images are DICOM (MONOCHROME1 or 2, each with its own rescale and window), half PNG;
    a patient has both kinds. ``images/labels.csv`` names the class and the patient. Lesion masks
    lie beside the images and never among them, in ``masks/<stem>.png``, 255 inside.

    Args:
        folder: Replaced if it holds other demo data.
        seed: Equal seeds give equal pictures.
        patients: At least 1; the classes alternate.
        images_per_patient: Views of the one lesion of a patient.
        size_px: Side of the pictures.
        progress: Told how many patients are drawn, of how many; what it raises ends the work.

    Returns:
        ``folder/images``, to be imported.
    """
    facts = {
        "synthetic": True,
        "version": PHANTOM_VERSION,
        "seed": seed,
        "patients": patients,
        "images_per_patient": images_per_patient,
        "size_px": size_px,
        "class_contrast": CLASS_CONTRAST,
    }
    marker = folder / "phantom.json"
    if marker.is_file() and read_json(marker) == facts:
        return folder / "images"
    if marker.is_file():
        shutil.rmtree(folder)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    table = [["file", "label", "patient_id"]]
    for number in range(patients):
        table += _write_patient(folder, seed, number, images_per_patient, size_px)
        if progress:
            progress(number + 1, patients)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(table)
    write_bytes(folder / "images" / "labels.csv", text.getvalue().encode("utf-8"))
    write_json(marker, facts)
    return folder / "images"


def _write_patient(
    folder: Path, seed: int, number: int, images: int, size_px: int
) -> list[list[str]]:
    label, patient = CLASSES[number % 2], f"PHANTOM-{number:04d}"
    case = draw_case(default_rng([seed, number]), label)
    rows = []
    for view in range(images):
        random = default_rng([seed, number, view])
        picture, mask = render_case(case, random, size_px)
        stem = f"p{number:04d}_{view}"
        as_dicom = (number + view) % 2 == 0
        name = f"{stem}.dcm" if as_dicom else f"{stem}.png"
        if as_dicom:
            content = dicom_bytes(
                picture, patient, random, uid=f"2.25.1{seed}{number:05d}{view:03d}"
            )
            (folder / "images" / name).write_bytes(content)
        else:
            Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(folder / "images" / name)
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "masks" / f"{stem}.png")
        rows.append([name, label, patient])
    return rows


@dataclass(frozen=True)
class Case:
    """What stays the same in all pictures of one patient.

    Attributes:
        irregularity: 0 for an ellipse, 1 for a deeply lobed, ill-defined outline.
        radius: Mean radius of the lesion as a share of the picture's side.
        aspect: Width over height.
        darkness_db: How much less the lesion reflects than the tissue around it.
        below_db: Enhancement (positive) or shadow (negative) below the lesion.
        gain_db: Brightness of the whole picture.
        attenuation_db: Loss from top to bottom.
        grain: Width of the speckle in pixels of a 128-pixel picture.
        layers: Depths of three tissue borders, as shares of the side.
        phases: ``[12]`` phases of the outline's waves, in radians.
    """

    irregularity: float
    radius: float
    aspect: float
    darkness_db: float
    below_db: float
    gain_db: float
    attenuation_db: float
    grain: float
    layers: tuple[float, float, float]
    phases: Array


def draw_case(random: Generator, label: str) -> Case:
    """Draw a patient; outline, aspect and darkness depend on the class, each with overlap."""
    shift = CLASS_CONTRAST / 2 if label == "irregular" else -CLASS_CONTRAST / 2
    skin = random.uniform(0.04, 0.08)
    fat = skin + random.uniform(0.10, 0.20)
    return Case(
        irregularity=float(np.clip(0.5 + shift + random.normal(0, 0.32), 0, 1)),
        radius=random.uniform(0.14, 0.23),
        aspect=float(np.exp(0.15 - 0.4 * shift + random.normal(0, 0.18))),
        darkness_db=14 + 7.5 * shift + random.uniform(-4, 4),
        below_db=random.uniform(-8, 7),
        gain_db=random.uniform(-4, 4),
        attenuation_db=random.uniform(2, 12),
        grain=random.uniform(0.8, 1.5),
        layers=(skin, fat, random.uniform(0.78, 0.92)),
        phases=random.uniform(0, 2 * np.pi, 12),
    )


def render_case(case: Case, random: Generator, size_px: int) -> tuple[Array, Array]:
    """Draw one picture of a patient.

    Args:
        case: The patient.
        random: Source of the view: position, tilt, speckle.
        size_px: Side.

    Returns:
        ``[S, S]`` float32 in [0, 1], and the lesion's mask ``[S, S]`` bool.
    """
    y, x = (axis.astype(np.float64) / size_px for axis in np.mgrid[:size_px, :size_px])
    center = (random.uniform(0.42, 0.58), random.uniform(0.36, 0.64))
    depth = _lesion_depth(case, random, y - center[0], x - center[1])
    mask = depth > 0
    unit = size_px / 128
    softness = (0.6 + 1.8 * case.irregularity) * unit
    inside = ndimage.gaussian_filter(mask.astype(np.float64), softness)
    level = _tissue(case, random, y, x, unit)
    texture = (0.8 + 3.0 * case.irregularity) * _smooth(random, size_px, 4 * unit)
    level = level * (1 - inside) + (-case.darkness_db + texture) * inside
    level += _below(case, mask, center, y, unit)
    level += case.gain_db - case.attenuation_db * y
    envelope = _speckle(random, size_px, case.grain * unit)
    decibels = level + 20 * np.log10(envelope + 1e-3)
    picture = np.clip((decibels + DYNAMIC_RANGE_DB * 0.62) / DYNAMIC_RANGE_DB, 0, 1)
    return picture.astype(np.float32), mask


def _lesion_depth(case: Case, random: Generator, dy: Array, dx: Array) -> Array:
    """Positive inside the lesion: an ellipse whose radius waves with the angle."""
    tilt = random.normal(0, 0.15)
    across = (dx * np.cos(tilt) + dy * np.sin(tilt)) / np.sqrt(case.aspect)
    down = (dy * np.cos(tilt) - dx * np.sin(tilt)) * np.sqrt(case.aspect)
    angle = np.arctan2(down, across)
    wave = np.zeros_like(angle)
    for order, phase in enumerate(case.phases, start=2):
        strength = 1 / order if order < 4 else 2.4 / order
        wave += strength * np.cos(order * angle + phase + random.normal(0, 0.15))
    radius = case.radius * random.uniform(0.92, 1.08) * (1 + 0.28 * case.irregularity * wave)
    depth: Array = radius - np.hypot(across, down)
    return depth


def _tissue(case: Case, random: Generator, y: Array, x: Array, unit: float) -> Array:
    """Mean reflection in decibels: skin, fat with bright strands, gland, muscle."""
    size = len(y)
    bend = 0.02 * _smooth(random, size, 18 * unit)
    skin, fat, muscle = case.layers
    level = np.where(y < skin + 0.3 * bend, 2.0, np.where(y < fat + bend, -9.0, -3.0))
    level = np.where(y > muscle + bend, -8.0, level)
    for border in (skin, fat, muscle):
        level += 7.0 * np.exp(-(((y - border - bend) * size / (1.3 * unit)) ** 2))
    strands = _smooth(random, size, (1.2 * unit, 9 * unit))
    level += np.where(y > muscle + bend, 4.0, 2.2) * np.clip(strands, -1.5, 2.5)
    level += 2.0 * _smooth(random, size, 10 * unit)
    edge = ndimage.gaussian_filter(level, 0.6 * unit)
    return np.asarray(edge)


def _below(case: Case, mask: Array, center: tuple[float, float], y: Array, unit: float) -> Array:
    """Enhancement or shadow in the lesion's columns below it, in decibels."""
    columns = ndimage.gaussian_filter1d(mask.any(axis=0).astype(np.float64), 2.5 * unit)
    fade = 1 / (1 + np.exp(-(y - center[0] - case.radius) * 30))
    return np.asarray(case.below_db * columns[None, :] * fade * (1.15 - y))


def _smooth(random: Generator, size: int, sigma: float | tuple[float, float]) -> Array:
    """A random field of standard deviation 1."""
    noise = random.standard_normal((size, size), dtype=np.float32)
    field = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    return np.asarray(field / field.std())


def _speckle(random: Generator, size: int, grain: float) -> Array:
    """Envelope of complex noise blurred by the beam, wider across than along; mean square 1.

    Two looks are averaged, as scanners do to calm the speckle (spatial compounding).
    """
    noise = random.standard_normal((4, size, size), dtype=np.float32)
    waves = ndimage.gaussian_filter(noise, (0, 0.62 * grain, 1.1 * grain), mode="wrap")
    power = (waves**2).sum(axis=0)
    return np.asarray(np.sqrt(power / power.mean()))


def dicom_bytes(picture: Array, patient: str, random: Generator, *, uid: str) -> bytes:
    """Store a picture so that only the right order of operations brings it back.

    Args:
        picture: ``[H, W]`` float32 in [0, 1]; recovered within 1 / 2000.
        patient: Written as PatientID.
        random: Draws MONOCHROME1 or 2, slope, intercept and window.
        uid: SOPInstanceUID.
    """
    inverted = bool(random.integers(2))
    slope, intercept = float(random.choice([0.25, 0.5, 1.0])), float(random.integers(-1024, 200))
    width = round(slope * int(random.integers(2400, 3600)))
    lowest = intercept + slope * int(random.integers(50, 300))
    # LINEAR (PS3.3 C.11.2.1.2): 0 at center - width / 2 and 1 at center + width / 2 - 1.
    center = lowest + width / 2
    shown = 1 - picture if inverted else picture
    stored = np.rint((lowest + shown.astype(np.float64) * (width - 1) - intercept) / slope)
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = UID(EXPLICIT_LITTLE)
    header.SOPClassUID, header.SOPInstanceUID = UID(ULTRASOUND), UID(uid)
    header.Modality, header.ImageComments = (
        "US",
        "Synthetic picture made by Bedside. Not a patient.",
    )
    header.PatientID, header.PatientName = patient, "Phantom^Synthetic"
    header.SamplesPerPixel, header.PixelRepresentation = 1, 0
    header.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    header.Rows, header.Columns = picture.shape
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    header.RescaleSlope, header.RescaleIntercept, header.RescaleType = slope, intercept, "US"
    header.WindowCenter, header.WindowWidth = center, width
    header.PixelData = np.clip(stored, 0, 4095).astype("<u2").tobytes()
    written = io.BytesIO()
    header.save_as(written, enforce_file_format=True)
    return written.getvalue()
