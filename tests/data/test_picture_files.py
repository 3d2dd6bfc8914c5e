"""PNG, JPEG, TIFF and BMP through the Pillow reader."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from core.config import PixelSettings
from core.data.fit import fit_picture
from core.data.picture import Raster
from core.errors import DataError
from tests.data.conftest import PeakOf

RANDOM = np.random.default_rng(0)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_eight_bits_come_back_exactly(read: Any, kind: str) -> None:
    values = RANDOM.integers(0, 256, (11, 17, 3), dtype=np.uint8)
    raster = read(saved(Image.fromarray(values), kind))
    assert np.array_equal(raster.pixels, values)
    assert (raster.bits, raster.window) == (8, "full range 0..255")
    assert raster.decoder.startswith("Pillow ")


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_case_32_sixteen_bits_are_not_clipped(read: Any, kind: str) -> None:
    ramp = np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64)
    raster = read(saved(Image.fromarray(ramp), kind))
    assert len(np.unique(raster.pixels)) == 4096
    assert raster.pixels.max() == 1.0
    assert raster.bits == 16
    picture = fit_picture(raster, PixelSettings(size_px=64), "", b"key")
    assert np.array_equal(picture.pixels[0], ramp)


def test_case_32_twelve_bits_in_sixteen_are_recorded(read: Any) -> None:
    raster = read(saved(Image.fromarray(np.array([[0, 4095]], dtype=np.uint16))))
    assert raster.pixels.tolist() == [[0.0, 1.0]]
    assert "12 of 16 bits" in raster.window


def test_case_35_exif_orientation_is_applied(read: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    raster = read(saved(Image.new("L", (30, 20)), "JPEG", exif=exif))
    assert raster.pixels.shape == (30, 20)


def test_case_35_transparent_parts_become_black_and_are_noted(read: Any) -> None:
    values = np.full((4, 4, 4), 255, dtype=np.uint8)
    values[:2, :, 3] = 0
    raster = read(saved(Image.fromarray(values)))
    assert raster.pixels.shape == (4, 4, 3)
    assert (raster.pixels[:2] == 0).all()
    assert (raster.pixels[2:] == 255).all()
    assert raster.notes == ("transparent parts shown on black",)


def test_case_35_palette_one_bit_and_print_colours(read: Any) -> None:
    colours = Image.new("RGB", (8, 8), (200, 10, 30))
    assert read(saved(colours.convert("P"))).pixels.shape == (8, 8, 3)
    assert read(saved(Image.new("1", (8, 8), 1))).pixels.max() == 255
    assert "CMYK" in read(saved(colours.convert("CMYK"), "JPEG")).notes[0]
    with pytest.raises(DataError, match="P15"):
        read(saved(colours.convert("CMYK"), "JPEG", icc_profile=b"profile"))


def test_numbers_without_a_range_and_several_pages_are_refused(read: Any) -> None:
    with pytest.raises(DataError, match="P16"):
        read(saved(Image.fromarray(np.ones((4, 4), dtype=np.float32)), "TIFF"))
    page = Image.new("L", (8, 8))
    with pytest.raises(DataError, match="P14"):
        read(saved(page, "TIFF", save_all=True, append_images=[page]))


@pytest.mark.parametrize("side", [8001, 10_000, 15_000])
def test_case_34_too_many_pixels_are_refused_before_decoding(
    tmp_path: Path, peak_of: PeakOf, side: int
) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (side, side)).save(path)
    code, megabytes, _ = peak_of(path)
    assert (code, megabytes < 300) == ("P11", True)


def test_case_33_a_cut_picture_is_an_error(read: Any) -> None:
    noise = Image.fromarray(RANDOM.integers(0, 256, (64, 64), dtype=np.uint8))
    content = saved(noise, "JPEG")
    with pytest.raises(OSError, match="truncated"):  # the child turns it into P10
        read(content[: len(content) // 2])


def test_fit_pads_or_stretches_and_reduces_grey() -> None:
    grey = np.repeat(RANDOM.integers(1, 256, (40, 80, 1), dtype=np.uint8), 3, axis=2)
    raster = Raster(grey, 8, "", "", "")
    padded = fit_picture(raster, PixelSettings(size_px=32), "", b"key")
    assert padded.pixels.shape == (1, 32, 32)
    assert (padded.pixels[0, :8] == 0).all()
    assert (padded.pixels[0, 8:24] > 0).all()
    assert (padded.width, padded.height) == (80, 40)
    stretched = fit_picture(raster, PixelSettings(size_px=32, fit="stretch"), "", b"key")
    assert (stretched.pixels > 0).all()
    assert stretched.phash == padded.phash


@pytest.mark.filterwarnings("ignore:Truncated File Read:UserWarning")
@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("samples", [3, 4])
def test_sixteen_bit_colours_are_kept(tmp_path: Path, read: Any, ending: str, samples: int) -> None:
    values = RANDOM.integers(0, 65536, (9, 7, samples), dtype=np.uint16)
    values[0, 0] = 65535
    path = tmp_path / f"sixteen{ending}"
    sitk.WriteImage(sitk.GetImageFromArray(values, isVector=True), str(path))
    raster = read(path.read_bytes())
    expected = values[..., :3] / 65535
    if samples == 4:
        expected = expected * (values[..., 3:] / 65535)
    np.testing.assert_allclose(raster.pixels, expected, atol=1e-6)
    assert (raster.bits, raster.pixels.dtype) == (16, np.float32)
    assert raster.notes == (("transparent parts shown on black",) if samples == 4 else ())
    with pytest.raises(DataError, match="P10"):
        read(path.read_bytes()[:-200])


def test_sixteen_bit_colours_have_the_same_limits(read: Any) -> None:
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (9000).to_bytes(4, "big") * 2 + b"\x10\x02\0\0\0"
    with pytest.raises(DataError, match="P11"):
        read(head + bytes(100))
