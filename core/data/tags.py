"""Labels from a DICOM field: any field a class may stand in, none that names a person."""

from __future__ import annotations

import io
import re

from pydicom import dcmread
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from core.data.kinds import text
from core.data.transfer import DEFLATED, inflate, transfer_syntax
from core.errors import ConfigError

# Words of closed lists, short texts and numbers; no names, dates, object numbers or long texts.
FORMS = frozenset({"CS", "LO", "SH", "IS", "DS", "US", "SS", "UL", "SL", "FL", "FD", "AS"})
IDENTIFYING = re.compile(
    r"PatientID|OtherPatient|IssuerOf|AccessionNumber|StudyID|Institution|Station|Device|Serial|"
    r"Address|Telephone|Physician|Operator|Performed|Requested|Requesting|Admission|Comments|"
    r"Insurance|Military|Occupation|Ethnic|Religious|Birth|Country|Region[OA]|Identifier|Person|"
    r"Contact|Visit|Route|Placer|Filler|Order|Label|Username|Owner|Description|ProtocolName"
)


def check_tag(name: str) -> int:
    """The number of a field that may serve as a label.

    Args:
        name: Its keyword (``"BodyPartExamined"``), or ``"(0018,0015)"`` or ``"00180015"``.

    Raises:
        ConfigError: C14, there is no such field, or it may identify a patient.
    """
    found = tag_for_keyword(name.strip())
    digits = re.fullmatch(r"\(?([0-9A-Fa-f]{4}),? ?([0-9A-Fa-f]{4})\)?", name.strip())
    if found is None and digits:
        found = int(digits[1] + digits[2], 16)
    keyword = keyword_for_tag(found) if found is not None else ""
    if found is None or not keyword:
        raise _refused("is no field of the DICOM standard")
    if dictionary_VR(found) not in FORMS or IDENTIFYING.search(keyword):
        raise _refused("may identify a patient or is no class")
    return found


def _refused(why: str) -> ConfigError:
    return ConfigError(
        "C14",
        f"The chosen DICOM field {why}",
        item="data.label_tag",
        todo="An example: BodyPartExamined.",
    )


def tag_text(content: bytes, name: str) -> str:
    """The text of one top-level field of a DICOM file, several values joined by a backslash.

    Args:
        content: The file.
        name: See `check_tag`.
    """
    wanted = check_tag(name)
    uid, start = transfer_syntax(content)
    if uid == DEFLATED:
        content = inflate(content, start)
    header = dcmread(
        io.BytesIO(content), specific_tags=[wanted], force=True, stop_before_pixels=True
    )
    value = header.get(keyword_for_tag(wanted))
    if value is not None and not isinstance(value, str) and hasattr(value, "__iter__"):
        return "\\".join(str(part).strip() for part in value)
    return text(header, keyword_for_tag(wanted))
