"""Single-frame DICOM: layouts, colours, lies and bombs."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from core.data.readers.base import reader_for
from core.data.transfer import DEFLATED
from core.errors import DataError
from tests.data.conftest import PeakOf

STORED = np.arange(0, 4096, 64, dtype=np.uint16).reshape(8, 8)
WINDOW = {"BitsStored": 12, "HighBit": 11, "WindowCenter": "2048", "WindowWidth": "4096"}


def test_a_plain_image(make_dicom: Any, read: Any) -> None:
    raster = read(make_dicom(STORED, **WINDOW, Modality="CT"))
    np.testing.assert_allclose(raster.pixels, (STORED - 2047.5) / 4095 + 0.5, atol=1e-6)
    assert (raster.bits, raster.modality, raster.patient) == (12, "CT", "4711")
    assert raster.decoder.startswith("pydicom ")


def test_monochrome1_and_rescale(make_dicom: Any, read: Any) -> None:
    plain = read(make_dicom(STORED, **WINDOW)).pixels
    tags = {**WINDOW, "WindowCenter": "3072", "WindowWidth": "8191"}
    turned = read(
        make_dicom(
            STORED, **tags, RescaleSlope="2", RescaleIntercept="-1023.5",
            PhotometricInterpretation="MONOCHROME1",
        )
    )  # fmt: skip
    np.testing.assert_allclose(turned.pixels, 1 - plain, atol=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("slope", ["0", "ABC", "NaN", "1e400"])
def test_case_18_unusable_rescale_values(make_dicom: Any, read: Any, slope: str) -> None:
    good = make_dicom(STORED, **WINDOW, RescaleSlope="77.25", RescaleIntercept="0")
    content = good.replace(b"77.25 ", slope.ljust(6).encode())
    with pytest.raises(DataError, match="D22"):
        read(content)


def test_case_20_left_justified_values_are_shifted(make_dicom: Any, read: Any) -> None:
    low = read(make_dicom(STORED, **WINDOW)).pixels
    tags = {**WINDOW, "HighBit": 15}
    assert np.array_equal(read(make_dicom(STORED << 4, **tags)).pixels, low)
    with pytest.raises(DataError, match="D24"):
        read(make_dicom(STORED, **{**WINDOW, "HighBit": 3}))


def test_case_20_signed_left_justified_values_keep_their_sign(make_dicom: Any, read: Any) -> None:
    signed = STORED.astype(np.int16) - 2048
    tags = {"BitsStored": 12, "WindowCenter": "0", "WindowWidth": "4096"}
    low = read(make_dicom(signed, HighBit=11, **tags)).pixels
    assert np.array_equal(read(make_dicom(signed << 4, HighBit=15, **tags)).pixels, low)


def test_case_22_length_is_checked(make_dicom: Any, read: Any) -> None:
    with pytest.raises(DataError, match=r"D12.*100 of 128 bytes"):
        read(make_dicom(STORED, **WINDOW, PixelData=STORED.tobytes()[:100]))
    long = read(make_dicom(STORED, **WINDOW, PixelData=STORED.tobytes() * 5))
    assert np.array_equal(long.pixels, read(make_dicom(STORED, **WINDOW)).pixels)
    assert "more pixels" in long.notes[0]


def test_case_21_impossible_sizes_are_refused_at_once(
    make_dicom: Any, tmp_path: Path, peak_of: PeakOf
) -> None:
    path = tmp_path / "huge.dcm"
    lies = {(65535, 65535): "D13", (9000, 9000): "D12"}
    for (rows, columns), expected in lies.items():
        path.write_bytes(make_dicom(STORED, **WINDOW, Rows=rows, Columns=columns))
        code, megabytes, seconds = peak_of(path)
        assert (code, megabytes < 300, seconds < 1) == (expected, True, True)


def test_case_21_fewer_pieces_than_frames(make_dicom: Any, read: Any) -> None:
    data = encapsulate([b"\xff\xd8\xff\xd9"])
    for frames in (3, 2_000_000):
        content = make_dicom(
            STORED.astype(np.uint8), syntax="1.2.840.10008.1.2.4.50", PixelData=data,
            NumberOfFrames=frames,
        )  # fmt: skip
        with pytest.raises(DataError, match=rf"D12.*\(1 of {frames} frames\)"):
            read(content)


def test_case_21_impossible_numbers_of_frames(make_dicom: Any, read: Any) -> None:
    with pytest.raises(DataError, match=r"D12.*\(128 of 384 bytes\)"):
        read(make_dicom(STORED, **WINDOW, NumberOfFrames="3"))
    assert read(make_dicom(STORED, **WINDOW, NumberOfFrames="1")).pixels.shape == (8, 8)
    with pytest.raises(DataError, match="D21"):
        read(make_dicom(STORED, **WINDOW, NumberOfFrames="-1"))


def test_what_is_no_image(make_dicom: Any, read: Any) -> None:
    with pytest.raises(DataError, match="D01"):
        read(make_dicom(None, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11"))
    with pytest.raises(DataError, match="D02"):
        read(make_dicom(None))
    with pytest.raises(DataError, match="D14"):
        read(make_dicom(STORED, BitsAllocated=64))
    with pytest.raises(DataError, match="D15"):
        read(make_dicom(STORED, PhotometricInterpretation="HSV"))


@pytest.mark.parametrize(
    ("syntax", "name"),
    [("1.2.840.113619.5.2", "private or unknown"), ("1.2.840.10008.1.2.4.102", "MPEG-4")],
)
def test_case_15_other_encodings_are_named(
    make_dicom: Any, read: Any, syntax: str, name: str
) -> None:
    content = make_dicom(STORED, **WINDOW)
    plain = struct.pack("<HH2sH", 2, 16, b"UI", 20) + b"1.2.840.10008.1.2.1\0"
    even = syntax.encode() + b"\0" * (len(syntax) % 2)
    content = content.replace(plain, struct.pack("<HH2sH", 2, 16, b"UI", len(even)) + even)
    with pytest.raises(DataError, match=rf"D34.*{name}"):
        read(content)


def test_case_23_deflated_files_are_read_and_bombs_refused(
    make_dicom: Any, read: Any, tmp_path: Path, peak_of: PeakOf
) -> None:
    content = make_dicom(STORED, **WINDOW, syntax=DEFLATED)
    assert np.array_equal(read(content).pixels, read(make_dicom(STORED, **WINDOW)).pixels)
    start = content.index(DEFLATED.encode()) + len(DEFLATED)
    packer = zlib.compressobj(9, wbits=-15)
    zeros = bytes(2**20)
    bomb = b"".join(packer.compress(zeros) for _ in range(1024)) + packer.flush()
    assert len(bomb) < 1.1 * 2**20  # 1 GB
    path = tmp_path / "bomb.dcm"
    path.write_bytes(_meta(content, start) + bomb)
    code, megabytes, seconds = peak_of(path)
    assert (code, megabytes < 500, seconds < 2) == ("D41", True, True)


def _meta(content: bytes, start: int) -> bytes:
    """The file up to the end of group 2, found by its group length."""
    (length,) = struct.unpack_from("<I", content, 140)
    assert start <= 144 + length
    return content[: 144 + length]


def test_bare_files_need_a_plausible_first_tag(make_dicom: Any, read: Any) -> None:
    content = make_dicom(STORED, **WINDOW)
    (length,) = struct.unpack_from("<I", content, 140)
    bare = content[144 + length :]
    assert np.array_equal(read(bare).pixels, read(content).pixels)
    for other in (b"", b"PNG and other text files", b"\x08\x00\x05\x00 no form here", bytes(300)):
        assert reader_for(other) is None


def test_colours(make_dicom: Any, read: Any) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(read(make_dicom(colours)).pixels, colours)
    planes = np.ascontiguousarray(colours.transpose(2, 0, 1))
    by_plane = make_dicom(colours, PlanarConfiguration=1, PixelData=planes.tobytes())
    assert np.array_equal(read(by_plane).pixels, colours)
    ybr = np.full((8, 8, 3), (150, 44, 21), dtype=np.uint8)
    green = read(make_dicom(ybr, PhotometricInterpretation="YBR_FULL")).pixels
    assert np.abs(green[0, 0].astype(int) - (0, 255, 1)).max() < 4
    with pytest.raises(DataError, match="D15"):
        read(make_dicom(ybr, PhotometricInterpretation="YBR_ICT"))
    deep = (colours.astype(np.uint16) * 257).astype(np.uint16)
    assert read(make_dicom(deep)).pixels.max() == pytest.approx(colours.max() / 255)


def test_palettes_are_applied(make_dicom: Any, read: Any) -> None:
    indexes = np.arange(64, dtype=np.uint8).reshape(8, 8)
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for place, colour in enumerate(("Red", "Green", "Blue")):
        levels = ((np.arange(256) + place * 50) % 256 << 8).astype("<u2")
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tags[f"{colour}PaletteColorLookupTableData"] = levels.tobytes()
    raster = read(make_dicom(indexes, **tags))
    assert raster.pixels.dtype == np.uint8
    assert raster.pixels[0, 3].tolist() == [3, 53, 103]
    del tags["RedPaletteColorLookupTableData"]
    with pytest.raises(DataError, match="D35"):
        read(make_dicom(indexes, **tags))


def test_modality_and_voi_tables(make_dicom: Any, read: Any) -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 16]
    item.LUTData = (np.arange(4096)[::-1] * 2).astype("<u2").tobytes()
    item.ModalityLUTType = "US"
    content = make_dicom(STORED, BitsStored=12, HighBit=11, ModalityLUTSequence=Sequence([item]))
    raster = read(content)
    assert raster.pixels[0, 0] == 1.0
    assert raster.pixels[-1, -1] == 0.0
    voi = make_dicom(STORED, **WINDOW, VOILUTSequence=Sequence([item]))
    assert read(voi).window == "file table of 4096 values"
    item.LUTData = b"\1\0\2\0"
    with pytest.raises(DataError, match="D23"):
        read(make_dicom(STORED, **WINDOW, VOILUTSequence=Sequence([item])))


def test_case_17_several_windows_take_the_first_valid(make_dicom: Any, read: Any) -> None:
    tags = {**WINDOW, "WindowCenter": ["10", "450"], "WindowWidth": ["0", "200"]}
    assert read(make_dicom(STORED, **tags)).window == "file 2 of 2: 450/200 LINEAR"
    assert "window ignored" in read(make_dicom(STORED, **WINDOW | {"WindowWidth": ""})).window


def nested(levels: int, tag: tuple[int, int], *, undefined: bool) -> bytes:
    """A sequence inside a sequence inside ..., as explicit little-endian bytes."""
    body = b""
    for _ in range(levels):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF if undefined else len(body)) + body
        end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) if undefined else b""
        item += end
        length = 0xFFFFFFFF if undefined else len(item)
        body = struct.pack("<HH2sHI", *tag, b"SQ", 0, length) + item
        body += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if undefined else b""
    return body


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("tag", [(0x0008, 0x1140), (0x5200, 0x9229), (0x5200, 0x9230)])
def test_case_24_nested_sequences_do_not_hang(
    make_dicom: Any, tmp_path: Path, peak_of: PeakOf, tag: tuple[int, int], undefined: bool
) -> None:
    content = make_dicom(STORED, **WINDOW)
    before = struct.pack("<HH", 0x0028, 0x0002) if tag[0] == 8 else struct.pack("<HH", 0x7FE0, 0x10)
    place = content.index(before)
    path = tmp_path / "nested.dcm"
    bomb = nested(2000, tag, undefined=undefined)
    path.write_bytes(content[:place] + bomb + content[place:])
    code, _, seconds = peak_of(path)
    assert code in {"", "D42"}
    assert seconds < 10
