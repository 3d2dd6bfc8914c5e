"""Well-formed header values read directly, several times as fast as pydicom makes objects of them.

Only what PS3.5 6.2 allows, in characters that mean the same in every character set, is read here.
Anything else is left to pydicom, which knows better and warns of what is wrong.
"""

from __future__ import annotations

import re
from functools import cache

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

_TEXT = {
    "CS": re.compile(rb"[A-Z0-9 _]{0,16}"),
    "LO": re.compile(rb"[ -\[\]-}]{0,64}"),
    "SH": re.compile(rb"[ -\[\]-}]{0,16}"),
    "UI": re.compile(rb"(?=.{1,64}$)(0|[1-9]\d*)(\.(0|[1-9]\d*))*\0?"),
}
_NUMBERS = {
    "DS": re.compile(rb"(?=.{1,16}$) *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *"),
    "IS": re.compile(rb"(?=.{1,12}$) *[+-]?\d{1,9} *"),
}


def plain_value(element: RawDataElement) -> str | list[str] | int | None:
    """The value of an element that pydicom has not converted yet.

    Returns:
        One text, or number as text, without the spaces around it; several numbers as a list; US and
        SS as a number. None where pydicom has to be asked.
    """
    content, form = element.value, element.VR or _form(element.tag)
    if not content:
        return None
    if form in _TEXT:
        return content.decode().strip("\0 ") if _TEXT[form].fullmatch(content) else None
    if form in _NUMBERS:
        parts = content.split(b"\\")
        if not all(map(_NUMBERS[form].fullmatch, parts)):
            return None
        found = [part.decode().strip(" ") for part in parts]
        return found if len(found) > 1 else found[0]
    if form in {"US", "SS"} and len(content) == 2:
        order = "little" if element.is_little_endian else "big"
        return int.from_bytes(content, order, signed=form == "SS")  # type: ignore[arg-type]
    return None


@cache
def _form(tag: BaseTag) -> str:
    """The dictionary's form of a field, which implicit encodings leave out."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""
