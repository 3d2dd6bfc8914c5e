"""What a DICOM header says about grey values: modality step, windows, padding."""

from __future__ import annotations

import math
import re

import numpy as np
from pydicom.dataset import Dataset

from core.data.grey import HOUNSFIELD, Grey, Table
from core.data.groups import speaker
from core.data.header import is_float
from core.data.kinds import CT_CLASSES, HEADER_ERRORS, items, modality, numbers, text, whole
from core.errors import DataError

VALUES = "PixelValueTransformationSequence"
VOI = "FrameVOILUTSequence"


def grey_of(header: Dataset, bits: int, frame: int = 0) -> Grey:
    """Collect what the header says about the grey values of one frame.

    Args:
        header: Checked by `core.data.header.check_layout`.
        bits: Bits stored, before `core.data.header.align_bits`.
        frame: From 0.

    Raises:
        DataError: D22, the rescale values are not usable numbers; D23, a look-up table is not.
    """
    slope, intercept = _rescale(header, frame)
    signed = whole(header, "PixelRepresentation", 0) == 1
    modality_tables = _tables(header, "ModalityLUTSequence", "LUTExplanation", signed=signed)
    unsigned_input = bool(modality_tables) or (not signed and intercept >= 0)
    voi = speaker(header, VOI, "WindowCenter", frame)
    tables = speaker(header, VOI, "VOILUTSequence", frame)
    centers, widths = numbers(voi, "WindowCenter"), numbers(voi, "WindowWidth")
    return Grey(
        bits=bits,
        signed=signed,
        slope=slope,
        intercept=intercept,
        modality_table=modality_tables[0] if modality_tables else None,
        windows=tuple(zip(centers, widths, strict=False))
        or ((math.nan, math.nan),) * bool(centers or widths),
        names=_names(voi),
        function=(text(voi, "VOILUTFunction") or "LINEAR").upper(),
        voi_tables=_tables(tables, "VOILUTSequence", "LUTExplanation", signed=not unsigned_input),
        inverted=text(header, "PhotometricInterpretation") == "MONOCHROME1",
        padding=_padding(header, bits, signed=signed),
        unit=_unit(header, frame),
    )


def _rescale(header: Dataset, frame: int) -> tuple[float, float]:
    """Slope and intercept of a frame; the dose grid's factor for a dose."""
    slope = _one(speaker(header, VALUES, "RescaleSlope", frame), "RescaleSlope", 1.0)
    intercept = _one(speaker(header, VALUES, "RescaleIntercept", frame), "RescaleIntercept", 0.0)
    if modality(header) == "RTDOSE" and slope == 1.0:
        slope = _one(header, "DoseGridScaling", 1.0)
    if slope == 0:
        raise DataError("D22", "The rescale values are not usable numbers")
    return slope, intercept


def _one(header: Dataset, keyword: str, default: float) -> float:
    values = numbers(header, keyword)
    if not values:
        return default
    if len(values) != 1 or not math.isfinite(values[0]):
        raise DataError("D22", "The rescale values are not usable numbers")
    return values[0]


def _unit(header: Dataset, frame: int) -> str:
    """``"HU"`` where the rescaled values are Hounsfield units: a CT slice that says so or must."""
    source = speaker(header, VALUES, "RescaleIntercept", frame)
    slice_of_ct = text(header, "SOPClassUID") in CT_CLASSES and modality(header) in {"CT", ""}
    if not slice_of_ct or "RescaleIntercept" not in source:
        return ""
    if "LOCALIZER" in text(header, "ImageType").upper():
        return ""  # an overview picture: its values are no attenuation of a voxel
    return HOUNSFIELD if text(source, "RescaleType").upper() in {"", "HU"} else ""


def _names(voi: Dataset) -> tuple[str, ...]:
    """Explanations of the windows; they are free text and stay in the child."""
    try:
        value = voi.get("WindowCenterWidthExplanation")
    except HEADER_ERRORS:
        return ()
    if not value:
        return ()
    return tuple(str(name).strip() for name in ([value] if isinstance(value, str) else value))


def _padding(header: Dataset, bits: int, *, signed: bool) -> tuple[float, float] | None:
    if is_float(header):
        values = numbers(header, "FloatPixelPaddingValue")
        return (values[0], values[0]) if values and math.isfinite(values[0]) else None
    ends = [numbers(header, name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    first = next((value for value in ends[0] if math.isfinite(value)), None)
    if first is None:
        return None
    last = next((value for value in ends[1] if math.isfinite(value)), first)
    return _as_stored(first, bits, signed=signed), _as_stored(last, bits, signed=signed)


def _as_stored(value: float, bits: int, *, signed: bool) -> float:
    """A padding value written with the other sign than the pixels, as they hold it."""
    range_of_word = 2.0 ** (16 if bits <= 16 else 32)
    if signed and value >= range_of_word / 2:
        return value - range_of_word
    return value + range_of_word if not signed and value < 0 else value


def _tables(header: Dataset, keyword: str, name: str, *, signed: bool) -> tuple[Table, ...]:
    return tuple(_table(item, text(item, name), signed=signed) for item in items(header, keyword))


def _table(item: Dataset, name: str, *, signed: bool) -> Table:
    """A look-up table, PS3.3 C.11.1 and C.11.2."""
    try:
        entries, first, bits = (int(value) for value in item.LUTDescriptor)
        entries = entries or 65536
        raw = item["LUTData"].value
        if isinstance(raw, bytes):
            wide = bits > 8 or len(raw) >= 2 * entries
            order = "<" if item.original_encoding[1] in {True, None} else ">"
            raw = np.frombuffer(raw, dtype=f"{order}u2" if wide else "u1")
        values = np.atleast_1d(np.asarray(raw)).astype(np.int64) & 0xFFFF
    except HEADER_ERRORS as error:
        raise DataError("D23", "A look-up table of the image cannot be read") from error
    if len(values) < entries or entries < 1:
        raise DataError("D23", "A look-up table of the image cannot be read")
    if signed and first >= 32768:
        first -= 65536
    return Table(first, values[:entries], name)


# Words that may be shown of a window's explanation. Anything else could be a name.
_WORDS = re.compile(
    r"(WINDOW|NORMAL|HARDER|SOFTER|LUNGS?|BONES?|SOFT|TISSUE|BRAIN|LIVER|ABDOMEN|MEDIASTINUM|CHEST|"
    r"PELVIS|SPINE|HEAD|NECK|ANGIO|CTA|STANDARD|DEFAULT|USER|PRESET|ALGO|VOI|LUT|LINEAR|SIGMOID|"
    r"HIGH|LOW|CONTRAST|SHARP|SMOOTH|WIDE|NARROW|STROKE|SUBDURAL|FOSSA|BASE|TEMPORAL|BREAST|"
    r"VESSELS?|HEART|CARDIAC|VIEW|AUTO|MIN|MAX|MEDIUM|BACKGROUND)?[ _-]?\d{0,2}",
    re.ASCII,
)


def shown_name(name: str) -> str:
    """A window's explanation if it is made of ordinary words, else ``""``."""
    words = re.split(r"[\s_/-]+", name.upper())
    return name.upper() if name and all(_WORDS.fullmatch(word) for word in words) else ""
