"""What passes between a reader, the decoding child and the import."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.grey import Grey

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
Array = NDArray[Any]


@dataclass(frozen=True)
class Place:
    """Where a picture belongs: which frame of which file, and where in the body.

    Attributes:
        frame: Place in the file, from 0.
        frames: How many pictures the file holds, used or not.
        study: Number of the examination. In a `Raster` as it stands, in a `Picture` its keyed hash;
            likewise series and instance.
        series: Number of the series.
        instance: Number of the object the file holds.
        orientation: Directions of rows and columns to 0.01; slices of one stack share them.
        position_mm: Along the normal of the slice; NaN where unknown.
        number: Place in the series as the scanner counted; orders slices without a position.
        row_mm: Distance between rows; NaN where unknown.
        column_mm: Distance between columns; NaN where unknown.
        spacing: Where those distances hold: ``"patient"``, ``"detector"``, ``"film"`` or ``""``.
    """

    frame: int = 0
    frames: int = 1
    study: str = ""
    series: str = ""
    instance: str = ""
    orientation: str = ""
    position_mm: float = math.nan
    number: int = 0
    row_mm: float = math.nan
    column_mm: float = math.nan
    spacing: str = ""


@dataclass(frozen=True)
class Marks:
    """What a file says about its picture that the user should know.

    Attributes:
        lossy: Whether it was ever compressed with loss.
        burned_in: Text in the pixels: ``"yes"``, ``"possible"``, ``"no"`` or ``""`` (unlikely).
        overlays: Number of overlay planes, which are not drawn.
        windows: The windows the file offers, in words free of header text.
        scanner: Maker, model and station. In a `Raster` as they stand, in a `Picture` their keyed
            hash.
    """

    lossy: bool = False
    burned_in: str = ""
    overlays: int = 0
    windows: tuple[str, ...] = ()
    scanner: str = ""


@dataclass(frozen=True)
class Given:
    """What a file that holds its own labels says about one picture.

    Attributes:
        labels: The class, or all findings (possibly none); None where the file says nothing.
        classes: Names of all classes in the file's order, where it knows them.
        findings: Whether each class is a finding of its own (any number for one picture).
        split: The part the file's authors put it in: ``"train"``, ``"validation"``, ``"test"``, "".
        alone: Whether the file's pictures have nothing to do with each other.
    """

    labels: tuple[str, ...] | None = None
    classes: tuple[str, ...] = ()
    findings: bool = False
    split: str = ""
    alone: bool = False


@dataclass(frozen=True)
class Raster:
    """One image as its reader decoded it, at its own size.

    Attributes:
        pixels: ``[H, W]`` or ``[H, W, 3]``; uint8, or float32 in [0, 1]. More is brighter.
        bits: Bits of information per sample in the file; above 8 the cache keeps 16.
        modality: DICOM modality (``"CT"``), or ``""``.
        decoder: Name and version of what decoded the pixels: lossy pixels depend on it.
        window: How stored values became [0, 1], in words.
        patient: The header's patient number as it stands. It never leaves the child process.
        notes: What was done or ignored that the user may want to know.
        place: Frame, series and geometry.
        marks: Lossy compression, burned-in text, overlays, windows on offer.
        given: Labels inside the file.
        stored: ``[H, W]`` numbers before any window, for a viewer; None where `pixels` are they.
        grey: What they mean.
        edges: Where left, top, right and bottom of the picture lie in the body, as DICOM's letters
            ("R", "AL"); empty where the file does not say.
    """

    pixels: Array
    bits: int
    modality: str
    decoder: str
    window: str
    patient: str = ""
    notes: tuple[str, ...] = ()
    place: Place = Place()
    marks: Marks = Marks()
    given: Given = Given()
    stored: Array | None = None
    grey: Grey | None = None
    edges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """One image as the cache keeps it.

    Attributes:
        pixels: ``[C, S, S]`` uint8 or uint16, C 1 or 3; value / maximum of the type is in [0, 1].
        sha256: Of the source file.
        phash: Perceptual hash of the whole picture (`core.data.hashes`).
        patient: Keyed hash of the header's patient number, or ``""``.
        width: Columns of the source image.
        height: Rows of the source image.
        bits: See `Raster`; likewise modality, decoder, window, marks and given.
        notes: Sentences joined by ``"; "``.
        place: As in `Raster`, with keyed hashes for study, series and instance.
        pixels_sha256: Of the pixels (`core.data.cache.pixels_sha256`).
    """

    pixels: Pixels
    sha256: str
    phash: str
    patient: str
    width: int
    height: int
    bits: int
    modality: str
    decoder: str
    window: str
    notes: str = ""
    place: Place = Place()
    marks: Marks = Marks()
    given: Given = Given()
    pixels_sha256: str = ""


@dataclass(frozen=True)
class Failure:
    """Why a file, or one frame of it, gave no image.

    Attributes:
        code: Stable short code (``"D12"``).
        reason: One sentence without a path or a patient's name.
        sha256: Of the source file, where it could be read.
        frame: The frame, from 0; 0 also where the whole file gave nothing.
        frames: How many frames the file holds, as far as known.
    """

    code: str
    reason: str
    sha256: str = ""
    frame: int = 0
    frames: int = 1
