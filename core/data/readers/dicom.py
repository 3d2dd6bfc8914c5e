"""DICOM: every object that is an image, with one frame or many."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from pydicom.dataset import Dataset

from core.config import PixelSettings
from core.data.frames import chosen_frames
from core.data.geometry import place_of
from core.data.grey import Grey
from core.data.grey_header import grey_of, shown_name
from core.data.header import GREY, align_bits, check_layout, is_float, read_header
from core.data.kinds import burned_in, modality, overlays, text, whole
from core.data.palette import colours
from core.data.picture import Failure, Marks, Raster
from core.data.pixels import render, valid_windows
from core.data.placing import edges_of
from core.data.readers.base import READERS
from core.data.stored import DECODING_ERRORS, Decoded, stored_frames
from core.data.tags import tag_text
from core.data.transfer import LOSSY
from core.errors import DataError

SCANNER = ("Manufacturer", "ManufacturerModelName", "StationName")
_FORMS = {
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN",
    b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US", b"UN", b"UT",
}  # fmt: skip


class DicomReader:
    """Files of a hospital archive, with or without the usual beginning."""

    suffixes: tuple[str, ...] = (".dcm", ".dicom", ".ima")
    damaged = ("D30", "The DICOM file is damaged")
    labelled = False

    def recognises(self, head: bytes) -> bool:
        """By ``DICM`` at byte 128, or by a first tag that can only be a bare DICOM data set's."""
        if head[128:132] == b"DICM" or (
            head[:2] == b"\x02\0" and head[4:6] in {b"UL", b"OB", b"UI"}
        ):
            return True
        return len(head) >= 16 and _begins_with_group_8(head)

    def read(
        self, content: bytes, settings: PixelSettings, temporary: Path
    ) -> Iterator[Raster | Failure]:
        """Decode the chosen frames in the order stored value, modality, window, inversion.

        Raises:
            DataError: A code of area D; see `core.data.header` and `core.data.stored`.
        """
        header, uid = read_header(content)
        notes = check_layout(header, uid)
        bits, shift = whole(header, "BitsStored", 0), align_bits(header, uid)
        chosen = chosen_frames(int(header.NumberOfFrames), settings)
        for frame, decode in stored_frames(header, uid, temporary, chosen):
            try:
                yield _raster(
                    header, uid, frame, _aligned(decode, header, shift), bits, settings, notes
                )
            except DataError as error:
                yield _failure(header, frame, error)
            except DECODING_ERRORS:
                yield _failure(header, frame, DataError(*self.damaged))

    def tag(self, content: bytes, name: str) -> str:
        """The text of a field the user labels by; see `core.data.tags`."""
        return tag_text(content, name)


def _aligned(decode: Callable[[], Decoded], header: Dataset, shift: int) -> Decoded:
    values, decoder = decode()
    if values.shape[:2] != (whole(header, "Rows", 0), whole(header, "Columns", 0)):
        raise DataError("D31", "The compressed data is damaged")
    return values >> shift if shift else values, decoder


def _raster(
    header: Dataset,
    uid: str,
    frame: int,
    decoded: Decoded,
    bits: int,
    settings: PixelSettings,
    notes: list[str],
) -> Raster:
    values, decoder = decoded
    offered: tuple[str, ...] = ()
    grey = None
    if text(header, "PhotometricInterpretation") in GREY:
        grey = grey_of(header, bits, frame)
        pixels, window = render(values, grey, settings.window, settings.window_name)
        offered = _offered(grey)
    else:
        pixels, bits = colours(values, header, bits)
        window = "colour, full range"
    return Raster(
        pixels=pixels,
        bits=bits,
        modality=modality(header),
        decoder=decoder,
        window=window,
        patient=text(header, "PatientID"),
        notes=(*notes, *_notes(header)),
        place=place_of(header, frame),
        marks=Marks(
            lossy=uid in LOSSY or text(header, "LossyImageCompression") == "01",
            burned_in=burned_in(header),
            overlays=overlays(header),
            windows=offered,
            scanner="|".join(filter(None, (text(header, name) for name in SCANNER))),
        ),
        stored=values if grey else None,
        grey=grey,
        edges=edges_of(header, frame),
    )


def _failure(header: Dataset, frame: int, error: DataError) -> Failure:
    sentence = f"{error.what.rstrip('.')}. {error.todo}".strip()
    return Failure(error.code, sentence, frame=frame, frames=int(header.NumberOfFrames))


def _offered(grey: Grey) -> tuple[str, ...]:
    """The file's windows for a list to choose from: place, values, and its name if harmless."""
    found = [(f"table {place}", table.name) for place, table in enumerate(grey.voi_tables, start=1)]
    found += [
        (
            f"window {place} {center:g}/{width:g}",
            dict(enumerate(grey.names, start=1)).get(place, ""),
        )
        for place, center, width in valid_windows(grey)
    ]
    return tuple(f"{words} {shown_name(name)}".strip() for words, name in found)


def _notes(header: Dataset) -> Iterator[str]:
    planes = overlays(header)
    if planes:
        yield f"{planes} overlay{'s' if planes > 1 else ''} not drawn"
    if burned_in(header) == "yes":
        yield "text is burned into the picture"
    if text(header, "RecognizableVisualFeatures").upper() == "YES":
        yield "a face may be recognisable"
    if is_float(header):
        yield "floating point values"


def _begins_with_group_8(head: bytes) -> bool:
    for order in "<>":
        group, element = struct.unpack_from(f"{order}HH", head)
        if group == 8 and element <= 0x0070:
            (length,) = struct.unpack_from(f"{order}I", head, 4)
            return head[4:6] in _FORMS or (order == "<" and 0 < length <= 256)
    return False


READERS.register("dicom", __name__)(DicomReader())
