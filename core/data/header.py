"""Reading and checking a DICOM header: the few tags an image needs, each distrusted.

Headers of real archives hold text where numbers belong, numbers that are not finite, and promises
about pixels that are not there; each is found here, before any decoder runs
(`reference/reliability.md` a.3 and a.5).
"""

from __future__ import annotations

import io
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import UID

from core.data.encapsulated import check_fragments
from core.data.kinds import (
    HEADER_ERRORS,
    IMAGE_CLASSES,
    MASKS,
    OVERLAY_ROWS,
    settle,
    text,
    value_of,
    whole,
)
from core.data.transfer import DEFLATED, NATIVE, RLE, check_syntax, inflate, transfer_syntax
from core.errors import DataError

# Read by name and nothing else: an untrusted header is never walked, printed or copied.
_FIELDS: list[Any] = [
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber",
    "ImageType", "Modality", "Manufacturer", "ManufacturerModelName", "StationName",
    "ConversionType", "PatientID", "BurnedInAnnotation",
    "RecognizableVisualFeatures", "LossyImageCompression", "NumberOfFrames",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "ImagePositionPatient", "ImageOrientationPatient", "PatientOrientation",
    "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
    "SequenceOfUltrasoundRegions", "GridFrameOffsetVector",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "FloatPixelPaddingValue", "RescaleSlope", "RescaleIntercept",
    "RescaleType", "DoseGridScaling", "ModalityLUTSequence",
    "WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction",
    "VOILUTSequence",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData", "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths", "FloatPixelData", "DoubleFloatPixelData", "PixelData",
    *OVERLAY_ROWS,
]  # fmt: skip
IMAGE_TAGS = [Tag(field) for field in _FIELDS]  # looked up once, not for every file
FLOATS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
GREY = ("MONOCHROME1", "MONOCHROME2")
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422")
COMPRESSED_COLOURS = ("YBR_RCT", "YBR_ICT")
DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"  # of a sequence without a length
LARGEST_SIDE = 20_000
LARGEST_BYTES = 512 * 2**20  # of one frame, decoded
MOST_FRAMES = 50_000  # a whole slide in tiles has about as many


def read_header(content: bytes) -> tuple[Dataset, str]:
    """Read the image tags of a DICOM file.

    Args:
        content: The whole file.

    Returns:
        The tags of `IMAGE_TAGS` that are there, and the transfer syntax.

    Raises:
        DataError: D34 encoding, D41 expands too far, D01 not an image, D02 without pixels, D03 a
            mask.
    """
    uid, start = transfer_syntax(content)
    if uid == DEFLATED:
        content = inflate(content, start)
    try:
        header = _tags(content)
    except HEADER_ERRORS:
        if uid:
            check_syntax(uid)  # an encoding that is not read explains why its header is not
        raise
    _check_kind(header)
    if uid:
        check_syntax(uid)
    if not _has_pixels(header) or "Rows" not in header or "Columns" not in header:
        raise DataError("D02", "The DICOM file holds no pixels")
    return header, uid or _guessed_syntax(header)


def _tags(content: bytes) -> Dataset:
    header = dcmread(io.BytesIO(content), specific_tags=list(IMAGE_TAGS), force=True)
    if len(header) or content[-8:] == DELIMITER:
        return header
    # pydicom drops everything when a file ends inside its pixels: give it the end it looks for.
    return dcmread(io.BytesIO(content + DELIMITER), specific_tags=list(IMAGE_TAGS), force=True)


def _check_kind(header: Dataset) -> None:
    kind = text(header, "SOPClassUID")
    if kind in MASKS:
        raise DataError("D03", "A segmentation: a mask drawn over an image, not an image")
    if kind not in IMAGE_CLASSES:
        raise DataError("D01", "A DICOM file of another kind than an image")


def _guessed_syntax(header: Dataset) -> str:
    """The encoding of a file that names none: as its header is written, if the pixels are plain."""
    if header.get_item("PixelData") is not None and header["PixelData"].is_undefined_length:
        check_syntax("")
    implicit, little = header.original_encoding
    uid = "1.2.840.10008.1.2" if implicit else f"1.2.840.10008.1.2.{1 if little else 2}"
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = UID(uid)
    return uid


def _has_pixels(header: Dataset) -> bool:
    return any(value_of(header, name) for name in ("PixelData", *FLOATS))


def is_float(header: Dataset) -> str:
    """The keyword of the pixels where they are floating point numbers, else ``""``."""
    return next((name for name in FLOATS if value_of(header, name)), "")


def check_layout(header: Dataset, uid: str) -> list[str]:
    """Check frames, colours, bits and length against each other; mend what is safe to mend.

    Afterwards the fields of the image pixel module and NumberOfFrames are there and are numbers.

    Returns:
        Notes on what was mended.

    Raises:
        DataError: D12 cut short, D13 size, D14 bits, D15 colours, D21 and D25 frames.
    """
    frames = _frames(header)
    colour = text(header, "PhotometricInterpretation").upper()
    one = (*GREY, "PALETTE COLOR")
    samples = whole(header, "SamplesPerPixel", 1 if colour in one else 3)
    allowed = (*one, *COLOURS, *(() if uid in NATIVE else COMPRESSED_COLOURS))
    if colour not in allowed or samples != (1 if colour in one else 3):
        raise DataError("D15", "The image's colour model is not supported")
    allocated, stored = _bits(header, samples)
    rows, columns = whole(header, "Rows", 0), whole(header, "Columns", 0)
    size = rows * columns * samples * max(8, allocated) // 8
    if not (0 < rows <= LARGEST_SIDE and 0 < columns <= LARGEST_SIDE) or size > LARGEST_BYTES:
        raise DataError(
            "D13", f"The image's size ({columns} x {rows}) is not possible or too large"
        )
    settle(
        header, PhotometricInterpretation=colour, NumberOfFrames=frames, SamplesPerPixel=samples,
        BitsStored=stored, PixelRepresentation=whole(header, "PixelRepresentation", 0),
    )  # fmt: skip
    if samples == 3:
        settle(header, PlanarConfiguration=whole(header, "PlanarConfiguration", 0))
    if uid not in NATIVE:
        check_fragments(header.PixelData, frames)
        return []
    bits = rows * columns * frames * allocated * (2 if colour == "YBR_FULL_422" else samples)
    return _check_length(header, (bits + 7) // 8)


def _bits(header: Dataset, samples: int) -> tuple[int, int]:
    """Bits allocated and stored."""
    floating = is_float(header)
    if floating:
        header.BitsAllocated = FLOATS[floating]
        return FLOATS[floating], FLOATS[floating]
    allocated = whole(header, "BitsAllocated", 0)
    stored = whole(header, "BitsStored", allocated)
    allowed = {1, 8, 16, 32} if samples == 1 else {8, 16, 32}
    if allocated not in allowed or not 1 <= stored <= allocated:
        raise DataError("D14", "The image's number of bits is not supported")
    return allocated, stored


def _frames(header: Dataset) -> int:
    try:
        frames = int(header.get("NumberOfFrames") or 1)
    except HEADER_ERRORS as error:
        raise DataError("D21", "The number of frames is not a number") from error
    if frames < 1:
        raise DataError("D21", "The number of frames is not a number")
    if frames > MOST_FRAMES and len(_pixels(header)) >= frames:
        raise DataError(
            "D25",
            f"The image has more frames ({frames}) than can be read ({MOST_FRAMES})",
            todo="Export a part of them.",
        )
    return frames


def _pixels(header: Dataset) -> bytes:
    data: Any = header[is_float(header) or "PixelData"].value
    return data if isinstance(data, bytes) else b""


def _check_length(header: Dataset, expected: int) -> list[str]:
    data = _pixels(header)
    if len(data) < expected:
        raise DataError("D12", f"The file is cut short ({len(data)} of {expected} bytes)")
    if len(data) > expected + 1:
        name = is_float(header) or "PixelData"
        header[name].value = data[:expected] + b"\0" * (expected % 2)
        frames = int(header.NumberOfFrames)
        first = "the first image was" if frames == 1 else f"the first {frames} images were"
        return [f"more pixels than the header announces; {first} used"]
    return []


def align_bits(header: Dataset, uid: str) -> int:
    """Prepare values that are not stored in the lowest bits (HighBit above BitsStored - 1).

    Returns:
        By how many bits decoded values must be shifted right.

    Raises:
        DataError: D24, the layout contradicts itself or the encoding cannot carry it.
    """
    if is_float(header):
        return 0
    stored = whole(header, "BitsStored", 0)
    high = whole(header, "HighBit", stored - 1)
    shift = high - (stored - 1)
    if shift == 0:
        return 0
    if shift < 0 or high >= header.BitsAllocated or (uid not in NATIVE and uid != RLE):
        raise DataError("D24", "The image's bit layout contradicts itself")
    header.BitsStored = high + 1
    return shift
