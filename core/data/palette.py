"""Colour pictures: palettes (PS3.3 C.7.6.3.1.5 and C.7.9) and samples of more than 8 bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from core.data.kinds import HEADER_ERRORS
from core.data.picture import Array
from core.errors import DataError

CHANNELS = ("Red", "Green", "Blue")
MOST_ENTRIES = 65_536
PALETTE = "PALETTE COLOR"


def colours(values: Array, header: Dataset, bits: int) -> tuple[Array, int]:
    """Colours of a decoded frame.

    Args:
        values: ``[H, W, 3]`` RGB, or ``[H, W]`` places in a palette.
        header: Checked by `core.data.header.check_layout`.
        bits: Bits stored.

    Returns:
        ``[H, W, 3]`` uint8, or float32 in [0, 1] above 8 bits; and the bits it carries.

    Raises:
        DataError: D31, no colour image; D35, the palette is missing or damaged.
    """
    if header.PhotometricInterpretation == PALETTE:
        return _mapped(values, header), 8
    if values.ndim != 3 or values.shape[2] != 3:
        raise DataError("D31", "The compressed data is damaged")
    if bits > 8:
        return (values.astype(np.float32) / np.float32(2**bits - 1)).clip(0, 1), bits
    if bits < 8:
        values = np.rint(values.astype(np.float32) * (255 / (2**bits - 1)))
    return values.astype(np.uint8), 8


def _mapped(values: Array, header: Dataset) -> Array:
    """Look every pixel up; values before and after the table take its ends."""
    try:
        luts = [_table(header, name) for name in CHANNELS]
    except HEADER_ERRORS as error:
        raise DataError("D35", "The image's colour table is missing or damaged") from error
    first, signed = luts[0][0], header.PixelRepresentation == 1
    if signed and first >= 32768:
        first -= 65536
    places = values.astype(np.int64) - first
    # 8-bit colours stand in the upper byte of 16 (C.7.6.3.1.6), unless somebody forgot to.
    high = max(int(lut.max()) for _, lut in luts) > 255
    mapped = np.stack([lut[places.clip(0, len(lut) - 1)] for _, lut in luts], axis=-1)
    return (mapped >> 8 if high else mapped).astype(np.uint8)


def _table(header: Dataset, name: str) -> tuple[int, Array]:
    """First value mapped and the entries of one channel, ``[N]`` uint16."""
    entries, first, depth = (
        int(value) for value in header[f"{name}PaletteColorLookupTableDescriptor"].value
    )
    entries = entries or MOST_ENTRIES
    order = "<" if header.original_encoding[1] in {True, None} else ">"
    plain = header.get(f"{name}PaletteColorLookupTableData")
    if plain:
        wide = len(plain) >= 2 * entries
        lut = np.frombuffer(plain, f"{order}u2" if wide else "u1").astype(np.uint16)
    else:
        raw = header[f"Segmented{name}PaletteColorLookupTableData"].value
        wide = depth > 8
        words = np.frombuffer(raw, f"{order}u2" if wide else "u1").tolist()
        lut = np.array(expand_segments(words, 2 if wide else 1), dtype=np.uint16)
    if not 0 < entries <= MOST_ENTRIES or len(lut) < entries:
        raise ValueError("the table is shorter than it says")
    return first, lut[:entries]


def expand_segments(words: Sequence[int], width: int) -> list[int]:
    """Expand a segmented table (PS3.3 C.7.9.2).

    Args:
        words: Segments: 0 discrete, 1 linear, 2 a repetition of earlier segments.
        width: Bytes per word, 1 or 2: offsets of repetitions are in bytes.

    Raises:
        ValueError: They make no sense, or more than `MOST_ENTRIES` entries.
    """
    lut: list[int] = []
    ahead = [(0, len(words))]  # where to read on, and how many segments from there
    while ahead:
        place, left = ahead.pop()
        if left == 0 or place + 1 >= len(words):
            continue
        kind, length = words[place], words[place + 1]
        body = place + 2
        if kind == 0:
            lut += words[body : body + length]
            body += length
        elif kind == 1 and lut:
            lut += np.rint(np.linspace(lut[-1], words[body], length + 1)[1:]).astype(int).tolist()
            body += 1
        elif kind == 2 and lut and len(ahead) < 2:
            size = 4 // width
            offset = sum(word << 8 * width * step for step, word in enumerate(words[body:][:size]))
            ahead += [(body + size, left - 1), (offset // width, length)]
            continue
        else:
            raise ValueError("an unknown or misplaced segment")
        if len(lut) > MOST_ENTRIES:
            raise ValueError("the table is too long")
        ahead.append((body, left - 1))
    return lut
