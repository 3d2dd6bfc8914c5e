"""How a DICOM file's pixels are encoded: which encodings are read, by what, within which limits.

pydicom decodes with a plugin named here, never with whichever happens to be installed. SimpleITK
decodes only what no permissively licensed plugin can (JPEG lossless and 12-bit), and only from a
file rewritten to hold nothing but pixels, so that it neither rescales nor inverts nor sees a name.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from core.data.picture import Array
from core.errors import DataError

DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
NATIVE = frozenset({"1.2.840.10008.1.2", EXPLICIT_LITTLE, "1.2.840.10008.1.2.2", DEFLATED})
RLE = "1.2.840.10008.1.2.5"
_JPEG = "1.2.840.10008.1.2.4."
PLUGINS = {
    RLE: "pydicom",
    _JPEG + "50": "pillow",
    _JPEG + "80": "pyjpegls",
    _JPEG + "81": "pyjpegls",
    **{_JPEG + end: "pylibjpeg" for end in ("90", "91", "201", "202", "203")},
}
BY_SIMPLEITK = frozenset({_JPEG + "51", _JPEG + "57", _JPEG + "70"})
DECODING_ERRORS = (
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)
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


def stored_values(header: Dataset, uid: str, temporary: Path) -> tuple[Array, str]:
    """Decode the pixels of a checked, single-frame header.

    Args:
        header: With consistent image tags and PixelData.
        uid: Transfer syntax, one that `check_syntax` lets pass.
        temporary: Private folder for SimpleITK's pixel-only file.

    Returns:
        ``[H, W]`` stored values or ``[H, W, 3]`` RGB, and the decoder's name and version.
    """
    if uid in BY_SIMPLEITK:
        return _by_simpleitk(header, uid, temporary), f"SimpleITK {version('SimpleITK')}"
    if uid in NATIVE:
        return pixel_array(header), f"pydicom {version('pydicom')}"
    plugin = PLUGINS[uid]
    package = PACKAGES.get(plugin, plugin)
    if plugin not in get_decoder(uid).available_plugins:
        raise DataError(
            "D33",
            f"The image's compression '{UID(uid).name}' needs the component {package}",
            todo="Install it, or export the image uncompressed.",
        )
    try:
        return pixel_array(header, decoding_plugin=plugin), f"{package} {version(package)}"
    except DECODING_ERRORS as error:
        raise DataError("D31", "The compressed data is damaged") from error


def _by_simpleitk(header: Dataset, uid: str, temporary: Path) -> Array:
    import SimpleITK as sitk  # 0.3 s and 100 MB that most data sets never need

    path = temporary / "pixels.dcm"
    try:
        path.write_bytes(_pixels_only(header, uid))
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # type: ignore[no-untyped-call]
        values = np.asarray(
            sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
        )
    except RuntimeError as error:
        raise DataError("D31", "The compressed data is damaged") from error
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return values[0] if values.shape[0] == 1 and values.ndim >= 3 else values


def _pixels_only(header: Dataset, uid: str) -> bytes:
    """A DICOM file with the image tags and pixels alone: no rescale, no inversion, no patient."""
    bare = Dataset()
    for keyword in (
        "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns",
        "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData",
    ):  # fmt: skip
        if keyword in header:
            bare.add(header[keyword])
    if bare.SamplesPerPixel == 1:
        bare.PhotometricInterpretation = "MONOCHROME2"
    bare.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")  # Secondary Capture
    bare.SOPInstanceUID = UID("2.25.1")
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = UID(uid)
    written: Any = io.BytesIO()
    bare.save_as(written, enforce_file_format=True)
    return bytes(written.getvalue())
