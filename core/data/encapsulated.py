"""Compressed pixel data: where one frame ends and the next begins."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments, generate_frames, parse_basic_offsets, parse_fragments

from core.errors import DataError


def check_fragments(data: object, frames: int) -> None:
    """Refuse pixel data with fewer pieces than frames, before any decoder looks at it.

    A piece cut short at the end of the file counts where others remain: it costs its own frame.

    Raises:
        DataError: D12, it is cut short; D31, it is not made of pieces at all.
    """
    if not isinstance(data, bytes):
        raise DataError("D31", "The compressed data is damaged")
    try:
        found, places = parse_fragments(_after_table(data))
        cut = bool(places) and _end(data, places[-1]) > len(data)
    except (ValueError, struct.error) as error:
        raise DataError("D31", "The compressed data is damaged") from error
    if found < frames:
        raise DataError("D12", f"The file is cut short ({found} of {frames} frames)")
    if cut and found == 1:
        there = len(data) - places[-1] - 8
        needed = _end(data, places[-1]) - places[-1] - 8
        raise DataError("D12", f"The file is cut short ({there} of {needed} bytes)")


def _end(data: bytes, place: int) -> int:
    """Where the piece that begins at `place` says it ends."""
    return place + 8 + int(struct.unpack_from("<I", data, place + 4)[0])


def encoded_frames(header: Dataset, wanted: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Cut frames out of the pixel data, in one pass.

    Args:
        header: Checked by `core.data.header.check_layout`.
        wanted: Frames, from 0, rising.

    Yields:
        ``(frame, encoded)``; frames that cannot be found are left out.
    """
    left = list(wanted)
    for place, encoded in enumerate(_frames(header)):
        if left and place == left[0]:
            yield left.pop(0), encoded
        if not left:
            return


def _frames(header: Dataset) -> Iterator[bytes]:
    data, frames = header.PixelData, int(header.NumberOfFrames)
    found, places = parse_fragments(_after_table(data))
    whole = found - (_end(data, places[-1]) > len(data))
    data = data[: places[-1]] if whole < found else data
    extended = None
    if header.get("ExtendedOffsetTable") and header.get("ExtendedOffsetTableLengths"):
        extended = (header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths)
    elif found == frames:  # one piece each: no table can err
        yield from generate_fragments(_after_table(data))
        return
    yield from generate_frames(data, number_of_frames=frames, extended_offsets=extended)


def _after_table(data: bytes) -> io.BytesIO:
    """The data from the first piece on, behind the basic offset table."""
    opened = io.BytesIO(data)
    parse_basic_offsets(opened)
    return opened
