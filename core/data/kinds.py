"""Which DICOM objects are images, and the few words of a header that may be passed on."""

from __future__ import annotations

import math
import struct
from functools import cache
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from core.data.plain import plain_value

_STORAGE = "1.2.840.10008.5.1.4.1.1."
IMAGE_CLASSES = frozenset(
    uid
    for uid, (name, kind, *_) in UID_dictionary.items()
    if kind == "SOP Class" and "Image Storage" in name
) | {
    _STORAGE + "6.2",  # Enhanced US Volume
    _STORAGE + "30",  # Parametric Map
    _STORAGE + "481.2",  # RT Dose
    _STORAGE + "81.1",  # Ophthalmic Thickness Map
    _STORAGE + "82.1",  # Corneal Topography Map
}
MASKS = frozenset({_STORAGE + "66.4", _STORAGE + "66.7"})  # Segmentation, Label Map Segmentation
CT_CLASSES = frozenset({_STORAGE + "2", _STORAGE + "2.1", _STORAGE + "2.2"})
# Pictures of a screen, a film or a scope: where text, and with it a name, stands in the pixels.
CAPTURES = frozenset(
    _STORAGE + end for end in ("3", "3.1", "6", "6.1", "6.2", "7", "7.1", "7.2", "7.3", "7.4")
)
CAPTURED = frozenset({"US", "IVUS", "ES", "XC", "GM", "SC", "OT", "DOC", "DG", "SMR", "HC"})

# PS3.3 C.7.3.1.1.1, current and retired. Free text in this field could be a name.
MODALITIES = frozenset(
    [
        "ANN",
        "AR",
        "ASMT",
        "AU",
        "BDUS",
        "BI",
        "BMD",
        "CD",
        "CF",
        "CFM",
        "CP",
        "CR",
        "CS",
        "CT",
        "CTPROTOCOL",
        "DD",
        "DF",
        "DG",
        "DM",
        "DMS",
        "DOC",
        "DS",
        "DX",
        "EC",
        "ECG",
        "EEG",
        "EMG",
        "EOG",
        "EPS",
        "ES",
        "FA",
        "FID",
        "FS",
        "GM",
        "HC",
        "HD",
        "IO",
        "IOL",
        "IVOCT",
        "IVUS",
        "KER",
        "KO",
        "LEN",
        "LP",
        "LS",
        "M3D",
        "MA",
        "MG",
        "MR",
        "MS",
        "NM",
        "OAM",
        "OCT",
        "OP",
        "OPM",
        "OPT",
        "OPTBSV",
        "OPTENF",
        "OPV",
        "OSS",
        "OT",
        "PA",
        "PLAN",
        "POS",
        "PR",
        "PT",
        "PX",
        "REG",
        "RESP",
        "RF",
        "RG",
        "RTDOSE",
        "RTIMAGE",
        "RTINTENT",
        "RTPLAN",
        "RTRAD",
        "RTRECORD",
        "RTSEGANN",
        "RTSTRUCT",
        "RWV",
        "SEG",
        "SM",
        "SMR",
        "SR",
        "SRF",
        "ST",
        "STAIN",
        "TEXTUREMAP",
        "TG",
        "US",
        "VA",
        "VF",
        "XA",
        "XAPROTOCOL",
        "XC",
    ]
)
# What access to one damaged field of a header can raise.
HEADER_ERRORS = (
    ValueError,
    TypeError,
    OverflowError,
    AttributeError,
    LookupError,
    NotImplementedError,
    struct.error,
    BytesLengthException,
)


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def value_of(header: Dataset, keyword: str) -> Any:
    """The value of a field, or None; well-formed texts and numbers as `core.data.plain` reads them.

    Raises:
        Exception: One of `HEADER_ERRORS`, the field is damaged.
    """
    tag = _tag(keyword)
    element = header.get_item(tag)
    if element is None:
        return None
    if isinstance(element, RawDataElement) and (found := plain_value(element)) is not None:
        return found
    return header[tag].value


def settle(header: Dataset, **fields: object) -> None:
    """Write the fields whose value is another: to set one takes ten times as long as to look."""
    for keyword, value in fields.items():
        if value_of(header, keyword) != value:
            setattr(header, keyword, value)


def text(header: Dataset, keyword: str) -> str:
    """A field as text; ``""`` where it is absent or damaged. It may identify a patient."""
    try:
        value = value_of(header, keyword)
        return "" if value is None else str(value).strip("\0 \t\r\n")
    except HEADER_ERRORS:
        return ""


def items(header: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; empty where it is absent, damaged or no sequence."""
    try:
        return [item for item in value_of(header, keyword) or [] if isinstance(item, Dataset)]
    except HEADER_ERRORS:
        return []


def whole(header: Dataset, keyword: str, default: int) -> int:
    """A whole number from the header; `default` where it is absent or no number."""
    try:
        value = value_of(header, keyword)
        return default if value is None or value == "" else int(float(value))
    except HEADER_ERRORS:
        return default


def numbers(header: Dataset, keyword: str) -> list[float]:
    """The numbers of a field with one or several values; NaN where something else stands."""
    try:
        value = value_of(header, keyword)
    except HEADER_ERRORS:
        return [math.nan]
    if value is None or value == "":
        return []
    single = isinstance(value, str | int | float) or not hasattr(value, "__iter__")
    return [number(entry) for entry in ([value] if single else value)]


def number(value: object) -> float:
    """A finite number, else NaN."""
    try:
        found = float(str(value))
    except (ValueError, OverflowError):
        return math.nan
    return found if math.isfinite(found) else math.nan


def modality(header: Dataset) -> str:
    """The modality where it is one of the standard's words, else ``""``."""
    found = text(header, "Modality").upper()
    return found if found in MODALITIES else ""


def burned_in(header: Dataset) -> str:
    """Whether text stands in the pixels: ``"yes"``, ``"no"``, ``"possible"``, ``""`` unlikely."""
    said = text(header, "BurnedInAnnotation").upper()
    if said in {"YES", "NO"}:
        return said.lower()
    captured = text(header, "SOPClassUID") in CAPTURES or modality(header) in CAPTURED
    return "possible" if captured or text(header, "ConversionType") else ""


def overlays(header: Dataset) -> int:
    """Number of overlay planes (groups 6000 to 601E)."""
    return sum(tag in header for tag in OVERLAY_ROWS)


OVERLAY_ROWS = [Tag(group, 0x0010) for group in range(0x6000, 0x6020, 2)]
