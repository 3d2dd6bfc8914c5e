"""Decoding a DICOM file's pixels to the values as stored, frame by frame.

pydicom decodes with a plugin named here, never with whichever happens to be installed. SimpleITK
decodes only what no permissively licensed plugin can (lossless and 12-bit JPEG), and only from a
file rewritten to hold nothing but one frame's pixels, so that it neither rescales nor inverts nor
sees a name.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from core.data.encapsulated import encoded_frames
from core.data.header import is_float
from core.data.kinds import text, whole
from core.data.picture import Array
from core.data.transfer import BIG_ENDIAN, BY_SIMPLEITK, NATIVE, PACKAGES, PLUGINS
from core.data.versions import versioned
from core.errors import DataError

DECODING_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)
Decoded = tuple[Array, str]


def stored_values(header: Dataset, uid: str, temporary: Path, frame: int = 0) -> Decoded:
    """Decode one frame of a checked header.

    Args:
        header: As `core.data.header.check_layout` left it.
        uid: Transfer syntax, one that `core.data.transfer.check_syntax` lets pass.
        temporary: Private folder for SimpleITK's pixel-only file.
        frame: From 0.

    Returns:
        ``[H, W]`` stored values or ``[H, W, 3]`` RGB, and the decoder's name and version.

    Raises:
        DataError: D31 damaged, D12 not there, D33 a component is missing.
    """
    (_, decode), *_ = stored_frames(header, uid, temporary, [frame])
    return decode()


def stored_frames(
    header: Dataset, uid: str, temporary: Path, wanted: Sequence[int]
) -> Iterator[tuple[int, Callable[[], Decoded]]]:
    """Go through frames of a checked header; see `stored_values`.

    Args:
        header: As there.
        uid: As there.
        temporary: As there.
        wanted: Frames, from 0, rising.

    Yields:
        ``(frame, decode)`` for every frame wanted; `decode` returns or raises as `stored_values`.
    """
    if uid in NATIVE:
        for frame in wanted:
            yield frame, partial(_native, header, uid, frame)
        return
    _require_plugin(uid)
    if int(header.NumberOfFrames) == 1:
        yield 0, partial(_compressed, header, uid, temporary)
        return
    left = list(wanted)
    with contextlib.suppress(*DECODING_ERRORS):  # what is damaged here is missing below
        for frame, encoded in encoded_frames(header, wanted):
            left.remove(frame)
            yield frame, partial(_compressed, _single(header, encoded), uid, temporary)
    for frame in left:
        yield frame, _missing


def _missing() -> Decoded:
    raise DataError("D12", "The file is cut short: this frame is not in it")


def _native(header: Dataset, uid: str, frame: int) -> Decoded:
    values = _plain(header, uid, frame)
    if values is None:
        values = pixel_array(header, index=frame)
    return values, versioned("pydicom")


def _plain(header: Dataset, uid: str, frame: int) -> Array | None:
    """The commonest layouts, without pydicom's detours; None for all others."""
    allocated, samples = whole(header, "BitsAllocated", 0), whole(header, "SamplesPerPixel", 0)
    plain = text(header, "PhotometricInterpretation")[:3] != "YBR"
    plain = plain and not whole(header, "PlanarConfiguration", 0)
    if not plain or allocated not in {8, 16, 32} or uid == BIG_ENDIAN or is_float(header):
        return None
    sides = whole(header, "Rows", 0), whole(header, "Columns", 0)
    shape = (*sides, 3) if samples == 3 else sides
    count = int(np.prod(shape))
    kind = "i" if whole(header, "PixelRepresentation", 0) == 1 else "u"
    dtype = np.dtype(f"<{kind}{allocated // 8}")
    start = frame * count * dtype.itemsize
    values: Array = np.frombuffer(header.PixelData, dtype, count, start).reshape(shape)
    unused = allocated - whole(header, "BitsStored", 0)
    return (values << unused) >> unused if unused else values


def _compressed(header: Dataset, uid: str, temporary: Path) -> Decoded:
    """Decode a header with one frame."""
    try:
        if uid in BY_SIMPLEITK:
            return _by_simpleitk(header, uid, temporary), versioned("SimpleITK")
        plugin = PLUGINS[uid]
        package = PACKAGES.get(plugin, plugin)
        return pixel_array(header, decoding_plugin=plugin), versioned(package)
    except DECODING_ERRORS as error:
        raise DataError("D31", "The compressed data is damaged") from error


def _require_plugin(uid: str) -> None:
    if uid in BY_SIMPLEITK or PLUGINS[uid] in get_decoder(uid).available_plugins:
        return
    package = PACKAGES.get(PLUGINS[uid], PLUGINS[uid])
    raise DataError(
        "D33",
        f"The image's compression '{UID(uid).name}' needs the component {package}",
        todo="Install it, or export the image uncompressed.",
    )


def _single(header: Dataset, encoded: bytes) -> Dataset:
    """A header with the pixel tags and one frame: no rescale, no inversion, no patient."""
    bare = Dataset()
    for keyword in (
        "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns",
        "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    ):  # fmt: skip
        if keyword in header:
            setattr(bare, keyword, header[keyword].value)  # a copy: the caller's stays as it is
    bare.NumberOfFrames = 1
    bare.PixelData = encapsulate([encoded])
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = header.file_meta.TransferSyntaxUID
    return bare


def _by_simpleitk(header: Dataset, uid: str, temporary: Path) -> Array:
    import SimpleITK as sitk  # 0.3 s and 100 MB that most data sets never need

    path = temporary / "pixels.dcm"
    try:
        path.write_bytes(_pixels_only(header))
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # type: ignore[no-untyped-call]
        values = np.asarray(
            sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
        )
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return values[0] if values.shape[0] == 1 and values.ndim >= 3 else values


def _pixels_only(header: Dataset) -> bytes:
    ((_, encoded),) = encoded_frames(header, [0])
    bare = _single(header, encoded)
    if bare.SamplesPerPixel == 1:
        bare.PhotometricInterpretation = "MONOCHROME2"
    del bare.NumberOfFrames
    bare["PixelData"].VR = "OB"
    bare.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")  # Secondary Capture
    bare.SOPInstanceUID = UID("2.25.1")
    written: Any = io.BytesIO()
    bare.save_as(written, enforce_file_format=True)
    return bytes(written.getvalue())
