"""DICOM: one image per file, for now without multi-frame objects."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from core.config import PixelSettings
from core.data.header import GREY, align_bits, check_layout, grey_of, read_header
from core.data.picture import Array, Raster
from core.data.pixels import render
from core.data.placing import edges_of, spacing_of
from core.data.readers.base import READERS
from core.data.transfer import stored_values
from core.errors import DataError

_FORMS = {
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN",
    b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US", b"UN", b"UT",
}  # fmt: skip


class DicomReader:
    """Files of a hospital archive, with or without the usual beginning."""

    suffixes: tuple[str, ...] = (".dcm", ".dicom", ".ima")
    damaged = ("D30", "The DICOM file is damaged")

    def recognises(self, head: bytes) -> bool:
        """By ``DICM`` at byte 128, or by a first tag that can only be a bare DICOM data set's."""
        if head[128:132] == b"DICM" or (
            head[:2] == b"\x02\0" and head[4:6] in {b"UL", b"OB", b"UI"}
        ):
            return True
        return len(head) >= 16 and _begins_with_group_8(head)

    def read(self, content: bytes, settings: PixelSettings, temporary: Path) -> Raster:
        """Decode the image in the order stored value, modality, window, inversion.

        Raises:
            DataError: A code of area D; see `core.data.header` and `core.data.transfer`.
        """
        header, uid = read_header(content)
        notes = check_layout(header, uid)
        bits = int(header.BitsStored)
        shift = align_bits(header, uid)
        values, decoder = stored_values(header, uid, temporary)
        if values.shape[:2] != (header.Rows, header.Columns):
            raise DataError("D31", "The compressed data is damaged")
        values = values >> shift if shift else values
        grey = None
        if header.PhotometricInterpretation in GREY:
            grey = grey_of(header, bits)
            pixels, window = render(values, grey, settings.window)
        else:
            pixels, bits = _colour(values, header, bits)
            window = "colour, full range"
        return Raster(
            pixels=pixels,
            bits=bits,
            modality=_modality(header),
            decoder=decoder,
            window=window,
            patient=str(header.get("PatientID") or "").strip(),
            notes=tuple(notes),
            stored=values if grey else None,
            grey=grey,
            spacing=spacing_of(header),
            edges=edges_of(header),
        )


def _begins_with_group_8(head: bytes) -> bool:
    for order in "<>":
        group, element = struct.unpack_from(f"{order}HH", head)
        if group == 8 and element <= 0x0070:
            (length,) = struct.unpack_from(f"{order}I", head, 4)
            return head[4:6] in _FORMS or (order == "<" and 0 < length <= 256)
    return False


def _modality(header: Dataset) -> str:
    """The modality, or nothing where free text stands in its place: it is shown and kept."""
    text = str(header.get("Modality") or "").strip()
    return text if len(text) <= 16 and text.isascii() and text.isalnum() else ""


def _colour(values: Array, header: Dataset, bits: int) -> tuple[Array, int]:
    """``[H, W, 3]`` RGB as uint8, or float32 in [0, 1] above 8 bits, and the bits it carries."""
    if header.PhotometricInterpretation == "PALETTE COLOR":
        try:
            mapped = apply_color_lut(values, header)[..., :3]
        except (AttributeError, ValueError) as error:
            raise DataError("D35", "The image's colour table is missing or damaged") from error
        if mapped.dtype != np.uint8:  # PS3.3 C.7.6.3.1.6: 8-bit colours stand in the upper byte
            mapped = mapped >> 8 if int(mapped.max()) > 255 else mapped
        return mapped.astype(np.uint8), 8
    if values.ndim != 3 or values.shape[2] != 3:
        raise DataError("D31", "The compressed data is damaged")
    if bits > 8:
        return (values.astype(np.float32) / np.float32(2**bits - 1)).clip(0, 1), bits
    if bits < 8:
        values = np.rint(values.astype(np.float32) * (255 / (2**bits - 1)))
    return values.astype(np.uint8), 8


READERS.register("dicom", __name__)(DicomReader())
