"""Palettes: plain and segmented, of 8 and 16 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.data.palette import expand_segments
from core.errors import DataError
from tests.data.conftest import MakeDicom, ReadAll

RAMP = np.arange(256, dtype=np.uint8)


def palette(
    make_dicom: MakeDicom, stored: np.ndarray, descriptor: list[int], *luts: bytes, **tags: Any
) -> bytes:
    kind = tags.pop("kind", "{}PaletteColorLookupTableData")
    for colour, lut in zip(("Red", "Green", "Blue"), luts, strict=True):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = descriptor
        tags[kind.format(colour)] = lut
    return make_dicom(stored, PhotometricInterpretation="PALETTE COLOR", **tags)


def test_values_before_and_after_the_table_take_its_ends(
    make_dicom: MakeDicom, read_all: ReadAll
) -> None:
    stored = np.array([[0, 10, 11, 12, 200]], dtype=np.uint8)
    lut = np.array([7, 8, 9], dtype="<u2").tobytes()
    (raster,) = read_all(palette(make_dicom, stored, [3, 10, 16], lut, lut, lut))
    assert raster.pixels[0, :, 0].tolist() == [7, 7, 8, 9, 9]


@pytest.mark.parametrize("wide", [False, True])
def test_eight_and_sixteen_bit_entries(
    make_dicom: MakeDicom, read_all: ReadAll, wide: bool
) -> None:
    stored = RAMP.reshape(16, 16)
    entries = [RAMP, RAMP[::-1], RAMP // 2]
    if wide:  # 8-bit colours in the upper byte
        luts = [(entry.astype("<u2") << 8 | entry).tobytes() for entry in entries]
    else:
        luts = [entry.tobytes() for entry in entries]
    content = palette(make_dicom, stored, [256, 0, 16 if wide else 8], *luts)
    (raster,) = read_all(content)
    assert raster.pixels.dtype == np.uint8
    assert np.array_equal(raster.pixels.reshape(-1, 3), np.stack(entries, axis=-1))


def test_a_large_table_of_small_entries(make_dicom: MakeDicom, read_all: ReadAll) -> None:
    """4,096 places need more than the 8 bits of an entry, which pydicom's own step forgets."""
    stored = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    lut = (np.arange(4096) // 16).astype(np.uint8).tobytes()
    (raster,) = read_all(palette(make_dicom, stored, [4096, 0, 8], lut, lut, lut))
    assert np.array_equal(raster.pixels[..., 0], stored // 16)


def test_segments_are_expanded(make_dicom: MakeDicom, read_all: ReadAll) -> None:
    # three values as they are; a line of five up to 80; again the first segment
    words = [0, 3, 10, 20, 30, 1, 5, 80, 2, 1, 0, 0]
    expected = [10, 20, 30, 40, 50, 60, 70, 80, 10, 20, 30]
    assert expand_segments(words, 2) == expected
    small = [0, 3, 10, 20, 30, 1, 5, 80, 2, 1, 0, 0, 0, 0]
    assert expand_segments(small, 1) == expected
    stored = np.arange(11, dtype=np.uint8).reshape(1, 11)
    lut = (np.array(words, dtype="<u2")).tobytes()
    content = palette(
        make_dicom, stored, [11, 0, 16], lut, lut, lut,
        kind="Segmented{}PaletteColorLookupTableData",
    )  # fmt: skip
    (raster,) = read_all(content)
    assert raster.pixels[0, :, 2].tolist() == expected


@pytest.mark.parametrize(
    "words",
    [
        [1, 5, 80],  # a line from nowhere
        [2, 1, 0, 0],  # a repetition of nothing
        [9, 1, 1],  # an unknown kind
        [0, 1, 5, 1, 60000, 9, 1, 60000, 9],  # far too long
        [0, 1, 5, 2, 2, 3, 0],  # a repetition of itself
    ],
)
def test_segments_that_make_no_sense(words: list[int]) -> None:
    with pytest.raises(ValueError, match=r"segment|long"):
        expand_segments(words, 2)


def test_a_missing_or_short_table_is_an_error(make_dicom: MakeDicom, read_all: ReadAll) -> None:
    stored = RAMP.reshape(16, 16)
    lut = RAMP.tobytes()
    for content in (
        make_dicom(stored, PhotometricInterpretation="PALETTE COLOR"),
        palette(make_dicom, stored, [256, 0, 8], lut, lut[:100], lut),
    ):
        (failure,) = read_all(content)
        assert getattr(failure, "code", "") == "D35"


def test_colours_of_few_and_of_many_bits(make_dicom: MakeDicom, read_all: ReadAll) -> None:
    deep = np.array([[[0, 65535, 32768]]], dtype=np.uint16)
    (raster,) = read_all(make_dicom(deep))
    np.testing.assert_allclose(raster.pixels[0, 0], [0, 1, 32768 / 65535], atol=1e-6)
    assert raster.bits == 16
    few = np.array([[[0, 15, 5]]], dtype=np.uint8)
    (raster,) = read_all(make_dicom(few, BitsStored=4, HighBit=3))
    assert raster.pixels[0, 0].tolist() == [0, 255, 85]
    with pytest.raises(DataError, match="D15"):
        read_all(make_dicom(few, PhotometricInterpretation="YBR_ICT"))
