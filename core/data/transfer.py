"""How a DICOM file is encoded: which encodings are read, by what, within which limits."""

from __future__ import annotations

import struct
import zlib

from pydicom.uid import UID

from core.errors import DataError

DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE = frozenset({"1.2.840.10008.1.2", EXPLICIT_LITTLE, BIG_ENDIAN, DEFLATED})
RLE = "1.2.840.10008.1.2.5"
_JPEG = "1.2.840.10008.1.2.4."
PLUGINS = {
    RLE: "pydicom",
    _JPEG + "50": "pillow",
    _JPEG + "80": "pyjpegls",
    _JPEG + "81": "pyjpegls",
    **{_JPEG + end: "pylibjpeg" for end in ("90", "91", "201", "202", "203")},
}
# 12-bit, spectral selection, full progression, lossless (two kinds): no permissive plugin has them.
BY_SIMPLEITK = frozenset(_JPEG + end for end in ("51", "53", "55", "57", "70"))
LOSSY = frozenset(_JPEG + end for end in ("50", "51", "53", "55", "81", "91", "203"))

PACKAGES = {"pillow": "Pillow", "pylibjpeg": "pylibjpeg-openjpeg"}
INFLATED_LIMIT = 128 * 2**20  # bytes; an image of 8,000 x 8,000 in 16 bits fits
_LONG_FORMS = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT"}


def transfer_syntax(content: bytes) -> tuple[str, int]:
    """Read the file's meta information without trusting the rest.

    Args:
        content: A DICOM file, with preamble or beginning with group 2.

    Returns:
        The transfer syntax (``""`` if none is named) and where the data set begins.
    """
    place = 132 if content[128:132] == b"DICM" else 0
    uid = ""
    while place + 12 <= len(content):
        group, element = struct.unpack_from("<HH", content, place)
        if group != 2:
            break
        if content[place + 4 : place + 6] in _LONG_FORMS:
            (length,), start = struct.unpack_from("<I", content, place + 8), place + 12
        else:
            (length,), start = struct.unpack_from("<H", content, place + 6), place + 8
        if element == 0x0010:
            uid = content[start : start + length].rstrip(b"\0 ").decode("ascii", "replace")
        place = start + length
    return uid, place


def check_syntax(uid: str) -> None:
    """Refuse encodings that are not read.

    Raises:
        DataError: D34, naming the encoding if it is a known one.
    """
    if uid in NATIVE or uid in PLUGINS or uid in BY_SIMPLEITK:
        return
    known = UID(uid).name
    name = f"'{known}'" if known != uid else "of a private or unknown kind"
    raise DataError(
        "D34",
        f"The image's compression {name} is not supported"
        if uid
        else "The file does not say how it is encoded",
        todo="Export it uncompressed from the archive.",
    )


def inflate(content: bytes, start: int) -> bytes:
    """Undo the deflated transfer syntax, within a limit, before any tag is looked at.

    Args:
        content: The file; the compressed data set begins at `start`.
        start: As found by `transfer_syntax`.

    Returns:
        The same file in Explicit VR Little Endian.

    Raises:
        DataError: D41, it expands beyond the limit; D31, the stream is damaged.
    """
    unpack = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        body = unpack.decompress(content[start:], INFLATED_LIMIT)
    except zlib.error as error:
        raise DataError("D31", "The compressed data is damaged") from error
    if unpack.unconsumed_tail:
        raise DataError("D41", f"The file expands beyond {INFLATED_LIMIT // 2**20} MB")
    plain = EXPLICIT_LITTLE.encode().ljust(len(DEFLATED), b"\0")  # same length: group 2 stays valid
    return content[:start].replace(DEFLATED.encode(), plain) + body
