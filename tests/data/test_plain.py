"""Header values read without pydicom's objects are what pydicom reads."""

from __future__ import annotations

import pytest
from pydicom import config
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from core.data.kinds import settle, value_of, whole
from core.data.plain import plain_value

TAGS = {"CS": 0x00080060, "LO": 0x00080070, "SH": 0x00081010, "UI": 0x00080018, "DS": 0x00281050,
        "IS": 0x00200013, "US": 0x00280010, "SS": 0x00280120}  # fmt: skip
PLAIN = [
    ("CS", b"MONOCHROME2 "), ("CS", b"CT"), ("CS", b"  "), ("LO", b"Siemens (1) & Co"),
    ("SH", b" CT1 "), ("UI", b"1.2.840.10008.1.2\0"), ("UI", b"1.0.3"),
    ("DS", b"40"), ("DS", b" -1.5e+2 "), ("DS", b"40\\-600 "), ("DS", b".5"), ("DS", b"1."),
    ("IS", b"7 "), ("IS", b"-12\\+3"), ("US", b"\x00\x02"), ("SS", b"\xff\xff"),
]  # fmt: skip
LEFT = [
    ("CS", b"ORIGINAL\\PRIMARY"), ("CS", b"ct"), ("CS", b"A" * 18), ("LO", b"M\xfcller"),
    ("LO", b"A~B "), ("LO", b"\x1b$BA"), ("SH", b"A" * 18), ("UI", b"1.02"), ("UI", b"1.2 "),
    ("UI", b"1." * 40), ("DS", b""), ("DS", b"1,5"), ("DS", b"1.0000000000000001 "),
    ("DS", b"1\\"), ("DS", b"nan "), ("IS", b"1.5 "), ("IS", b"12345678901"), ("US", b"\x00"),
    ("US", b"\x01\x00\x02\x00"), ("PN", b"A^B "), ("UN", b"1 "),
]  # fmt: skip


def element(form: str, content: bytes, *, little: bool = True) -> RawDataElement:
    tag = Tag(TAGS.get(form, 0x00100010))
    return RawDataElement(tag, form, len(content), content, 0, False, little)


@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize(("form", "content"), PLAIN)
def test_well_formed_values_are_what_pydicom_reads(form: str, content: bytes, little: bool) -> None:
    raw = element(form, content, little=little)
    found, theirs = plain_value(raw), convert_raw_data_element(raw).value
    assert found is not None
    if form in {"DS", "IS"}:
        several = list(theirs) if isinstance(found, list) else [theirs]
        assert [float(part) for part in (found if isinstance(found, list) else [found])] == several
    else:
        assert found == (theirs if isinstance(theirs, int) else str(theirs).strip())
    implicit = raw._replace(VR=None, is_implicit_VR=True)
    assert plain_value(implicit) in (found, None)  # "US or SS" depends on other fields


@pytest.mark.parametrize(("form", "content"), LEFT)
def test_everything_else_is_left_to_pydicom(form: str, content: bytes) -> None:
    assert plain_value(element(form, content)) is None


def test_fields_are_read_and_settled() -> None:
    header = Dataset()
    assert value_of(header, "Rows") is None
    settle(header, Rows=4, Modality="CT")
    kept = header["Rows"]
    settle(header, Rows=4, Modality="MR")
    assert header["Rows"] is kept
    assert (header.Rows, header.Modality) == (4, "MR")
    header.ImageComments = "12.0"
    assert whole(header, "ImageComments", 3) == 12
    assert config.settings.reading_validation_mode == config.WARN  # what is left is warned of
