"""Reading and checking a DICOM header: the few tags an image needs, each distrusted.

Headers of real archives hold text where numbers belong, numbers that are not finite, and promises
about pixels that are not there; each is found here, before any decoder runs
(`reference/reliability.md` a.3 and a.5).
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, UID_dictionary  # type: ignore[attr-defined]

from core.data.grey import Grey, Table
from core.data.transfer import (
    DEFLATED,
    NATIVE,
    RLE,
    check_syntax,
    inflate,
    transfer_syntax,
)
from core.errors import DataError

# Read by name and nothing else: an untrusted header is never walked, printed or copied.
IMAGE_TAGS = [
    "SOPClassUID", "Modality", "PatientID", "NumberOfFrames", "SharedFunctionalGroupsSequence",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData", "PixelSpacing", "ImagerPixelSpacing",
    "ImageOrientationPatient", "PatientOrientation", "PixelData",
]  # fmt: skip
IMAGE_CLASSES = frozenset(
    uid
    for uid, (name, kind, *_) in UID_dictionary.items()
    if kind == "SOP Class" and "Image Storage" in name
)
GREY = ("MONOCHROME1", "MONOCHROME2")
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422")
COMPRESSED_COLOURS = ("YBR_RCT", "YBR_ICT", "YBR_PARTIAL_420")
LARGEST_SIDE = 20_000
LARGEST_BYTES = 512 * 2**20


def read_header(content: bytes) -> tuple[Dataset, str]:
    """Read the image tags of a DICOM file.

    Args:
        content: The whole file.

    Returns:
        The tags of `IMAGE_TAGS` that are there, and the transfer syntax.

    Raises:
        DataError: D34 encoding, D41 expands too far, D01 not an image, D02 without pixels.
    """
    uid, start = transfer_syntax(content)
    if start:
        check_syntax(uid)
    if uid == DEFLATED:
        content = inflate(content, start)
    header = dcmread(io.BytesIO(content), specific_tags=list(IMAGE_TAGS), force=True)
    if str(header.get("SOPClassUID", "")) not in IMAGE_CLASSES:
        raise DataError("D01", "A DICOM file of another kind than an image")
    if not header.get("PixelData") or "Rows" not in header or "Columns" not in header:
        raise DataError("D02", "The DICOM file holds no pixels")
    if not start:
        implicit, little = header.original_encoding
        uid = "1.2.840.10008.1.2" if implicit else f"1.2.840.10008.1.2.{1 if little else 2}"
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = UID(uid)
    return header, uid


def check_layout(header: Dataset, uid: str) -> list[str]:
    """Check frames, colours, bits and length against each other; mend what is safe to mend.

    Returns:
        Notes on what was mended.

    Raises:
        DataError: D12 cut short, D13 size, D14 bits, D15 colours, D21 and D25 frames.
    """
    _check_frames(header)
    colour = str(header.get("PhotometricInterpretation", "")).strip().upper()
    samples = whole(header, "SamplesPerPixel", 1 if colour in (*GREY, "PALETTE COLOR") else 3)
    expected = 1 if colour in (*GREY, "PALETTE COLOR") else 3
    allowed = (*GREY, "PALETTE COLOR", *COLOURS, *(() if uid in NATIVE else COMPRESSED_COLOURS))
    if colour not in allowed or samples != expected:
        raise DataError("D15", "The image's colour model is not supported")
    allocated = whole(header, "BitsAllocated", 0)
    stored = whole(header, "BitsStored", allocated)
    if allocated not in {8, 16, 32} or not 1 <= stored <= allocated:
        raise DataError("D14", "The image's number of bits is not supported")
    rows, columns = whole(header, "Rows", 0), whole(header, "Columns", 0)
    size = rows * columns * samples * allocated // 8
    if not (0 < rows <= LARGEST_SIDE and 0 < columns <= LARGEST_SIDE) or size > LARGEST_BYTES:
        raise DataError(
            "D13", f"The image's size ({columns} x {rows}) is not possible or too large"
        )
    header.PhotometricInterpretation = colour
    header.SamplesPerPixel, header.BitsStored = samples, stored
    header.PixelRepresentation = whole(header, "PixelRepresentation", 0)
    if samples == 3:
        header.PlanarConfiguration = whole(header, "PlanarConfiguration", 0)
    if uid not in NATIVE:
        return []
    return _check_length(header, size * 2 // 3 if colour == "YBR_FULL_422" else size)


def _check_frames(header: Dataset) -> None:
    try:
        frames = int(header.get("NumberOfFrames") or 1)
    except (ValueError, TypeError) as error:
        raise DataError("D21", "The number of frames is not a number") from error
    if frames > 1 or "SharedFunctionalGroupsSequence" in header:
        raise DataError(
            "D25",
            f"An image of several frames ({frames}), which this version does not read",
            todo="Export single frames.",
        )
    if frames < 1:
        raise DataError("D21", "The number of frames is not a number")
    if "NumberOfFrames" in header:
        del header.NumberOfFrames


def _check_length(header: Dataset, expected: int) -> list[str]:
    data = header.PixelData
    if len(data) < expected:
        raise DataError("D12", f"The file is cut short ({len(data)} of {expected} bytes)")
    if len(data) > expected + 1:
        header.PixelData = data[:expected] + b"\0" * (expected % 2)
        return ["more pixels than one image needs; the first image was used"]
    return []


def align_bits(header: Dataset, uid: str) -> int:
    """Prepare values that are not stored in the lowest bits (HighBit above BitsStored - 1).

    Returns:
        By how many bits decoded values must be shifted right.

    Raises:
        DataError: D24, the layout contradicts itself or the encoding cannot carry it.
    """
    stored = int(header.BitsStored)
    high = whole(header, "HighBit", stored - 1)
    shift = high - (stored - 1)
    if shift == 0:
        return 0
    if shift < 0 or high >= header.BitsAllocated or (uid not in NATIVE and uid != RLE):
        raise DataError("D24", "The image's bit layout contradicts itself")
    header.BitsStored = high + 1
    return shift


def grey_of(header: Dataset, bits: int) -> Grey:
    """Collect what the header says about grey values.

    Args:
        header: Checked by `check_layout`.
        bits: Bits stored, before `align_bits`.

    Raises:
        DataError: D22, the rescale values are not usable numbers; D23, a look-up table is not.
    """
    slope, intercept = (
        _rescale(header, "RescaleSlope", 1.0),
        _rescale(header, "RescaleIntercept", 0.0),
    )
    if slope == 0:
        raise DataError("D22", "The rescale values are not usable numbers")
    signed = header.PixelRepresentation == 1
    modality_table = _table(header, "ModalityLUTSequence", signed=signed)
    unsigned_input = modality_table is not None or (not signed and intercept >= 0)
    centers, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    return Grey(
        bits=bits,
        signed=signed,
        slope=slope,
        intercept=intercept,
        modality_table=modality_table,
        windows=tuple(zip(centers, widths, strict=False))
        or ((math.nan, math.nan),) * bool(centers or widths),
        function=str(header.get("VOILUTFunction") or "LINEAR").strip().upper(),
        voi_table=_table(header, "VOILUTSequence", signed=not unsigned_input),
        inverted=header.PhotometricInterpretation == "MONOCHROME1",
        padding=_padding(header),
    )


def whole(header: Dataset, keyword: str, default: int) -> int:
    """A whole number from the header; `default` where it is absent or no number."""
    try:
        return int(header.get(keyword, default))
    except (ValueError, TypeError, OverflowError):
        return default


def numbers(header: Dataset, keyword: str) -> list[float]:
    """The numbers of a tag with one or several values; NaN where something else stands."""
    if keyword not in header:
        return []
    try:
        value: Any = header[keyword].value
    except (ValueError, TypeError, OverflowError):
        return [math.nan]
    if value is None or value == "":
        return []
    values = (
        [value] if isinstance(value, str | int | float) or not hasattr(value, "__iter__") else value
    )
    return [_number(entry) for entry in values]


def _number(value: object) -> float:
    try:
        number = float(str(value))
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _rescale(header: Dataset, keyword: str, default: float) -> float:
    values = numbers(header, keyword)
    if not values:
        return default
    if len(values) != 1 or not math.isfinite(values[0]):
        raise DataError("D22", "The rescale values are not usable numbers")
    return values[0]


def _padding(header: Dataset) -> tuple[int, int] | None:
    ends = [numbers(header, name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    first = next((value for value in ends[0] if math.isfinite(value)), None)
    if first is None:
        return None
    last = next((value for value in ends[1] if math.isfinite(value)), first)
    return int(first), int(last)


def _table(header: Dataset, keyword: str, *, signed: bool) -> Table | None:
    """A look-up table of a sequence's first item, or None; PS3.3 C.11.1 and C.11.2."""
    sequence = header.get(keyword)
    if not sequence:
        return None
    try:
        entries, first, bits = (int(value) for value in sequence[0].LUTDescriptor)
        entries = entries or 65536
        raw = sequence[0]["LUTData"].value
        if isinstance(raw, bytes):
            raw = np.frombuffer(raw, dtype="<u2" if bits > 8 or len(raw) >= 2 * entries else "<u1")
        values = np.atleast_1d(np.asarray(raw)).astype(np.int64) & 0xFFFF
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError("D23", "A look-up table of the image cannot be read") from error
    if len(values) < entries or entries < 1:
        raise DataError("D23", "A look-up table of the image cannot be read")
    if signed and first >= 32768:
        first -= 65536
    return Table(first, values[:entries])
