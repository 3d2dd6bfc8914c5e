"""What passes between a reader, the decoding child and the import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.data.grey import Grey

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
Array = NDArray[Any]


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
        stored: ``[H, W]`` integers before any window, for a viewer; None where `pixels` are they.
        grey: What they mean.
        spacing: Millimetres between rows and between columns, or None.
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
    stored: Array | None = None
    grey: Grey | None = None
    spacing: tuple[float, float] | None = None
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
        bits: See `Raster`; likewise modality, decoder and window.
        notes: Sentences joined by ``"; "``.
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


@dataclass(frozen=True)
class Failure:
    """Why a file gave no image.

    Attributes:
        code: Stable short code (``"D12"``).
        reason: One sentence without a path or a patient's name.
        sha256: Of the source file, where it could be read.
    """

    code: str
    reason: str
    sha256: str = ""
