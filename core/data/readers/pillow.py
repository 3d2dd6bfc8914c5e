"""PNG, JPEG, TIFF and BMP, decoded by Pillow with its doors closed.

Only these four of Pillow's formats are enabled; pictures above 64 megapixels are refused before
they are decoded; truncated files are errors; transparency, palettes and orientation are resolved
explicitly (`reference/reliability.md` a.4).
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageOps, UnidentifiedImageError

from core.config import PixelSettings
from core.data.deep_colour import deep_colours, deep_size
from core.data.grey import Grey
from core.data.picture import Array, Failure, Marks, Raster
from core.data.readers.base import READERS
from core.data.versions import versioned
from core.errors import DataError

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
LARGEST_PIXELS = 64_000_000
SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM")
TWELVE_BITS = 4095


class PillowReader:
    """Everyday picture files."""

    suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
    damaged = ("P10", "The picture is damaged or cut short")
    labelled = False

    def recognises(self, head: bytes) -> bool:
        """By signature; a BMP also by the size of its second header, as two letters are few."""
        if head[:2] == b"BM":
            return len(head) > 18 and int.from_bytes(head[14:18], "little") in {
                12,
                40,
                52,
                56,
                108,
                124,
            }
        return head.startswith(SIGNATURES)

    def read(
        self, content: bytes, settings: PixelSettings, temporary: Path
    ) -> Iterator[Raster | Failure]:
        """Decode the picture; these files hold one each.

        Raises:
            DataError: P10 damaged, P11 too large, P14 several pictures, P15 colours, P16 range.
        """
        size = deep_size(content)
        if size is not None:
            if size[0] * size[1] > LARGEST_PIXELS:
                raise _too_large()
            yield _deep(deep_colours(content, temporary))
            return
        image = _opened(content)
        notes: list[str] = []
        if image.format == "MPO":
            notes.append("first picture of a camera's multi-picture file")
        elif getattr(image, "n_frames", 1) > 1:
            raise DataError("P14", "The file holds several pictures", todo="Save one per file.")
        if image.format == "PNG" and content[24] == 16 and image.mode in {"RGBA", "LA"}:
            notes.append("16-bit grey with transparency reduced to 8 bits")
        marks = Marks(lossy=image.format in {"JPEG", "MPO"})
        image.load()
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):
            yield _sixteen_bits(upright, notes)
            return
        pixels = np.asarray(_plain(upright, notes))
        yield Raster(
            pixels, 8, "", _decoder(), "full range 0..255", notes=tuple(notes), marks=marks
        )

    def tag(self, content: bytes, name: str) -> str:
        """Pictures have no header fields to label by."""
        return ""


def _opened(content: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large() from error
    except UnidentifiedImageError as error:
        raise DataError("P10", "The picture is damaged or cut short") from error
    if image.width * image.height > LARGEST_PIXELS:
        raise _too_large()
    return image


def _too_large() -> DataError:
    return DataError(
        "P11",
        f"The picture has more than {LARGEST_PIXELS // 1_000_000} megapixels",
        todo="Save it smaller.",
    )


def _deep(stored: Array) -> Raster:
    """Colours of 16 bits, transparent parts on black."""
    notes: tuple[str, ...] = ()
    pixels = stored[..., :3].astype(np.float32) / np.float32(65535)
    if stored.shape[2] == 4 and int(stored[..., 3].min()) < 65535:
        notes = ("transparent parts shown on black",)
        pixels *= stored[..., 3:].astype(np.float32) / np.float32(65535)
    return Raster(pixels, 16, "", versioned("SimpleITK"), "full range 0..65535", notes=notes)


def _sixteen_bits(image: Image.Image, notes: list[str]) -> Raster:
    """Grey of 16 bits, read as stored: `convert` would clip it to 255."""
    stored = np.asarray(image).astype(np.uint16)
    most = TWELVE_BITS if int(stored.max()) <= TWELVE_BITS else 65535
    words = f"full range 0..{most}"
    if most == TWELVE_BITS:
        words += " (12 of 16 bits in use)"
    pixels = stored.astype(np.float32) / np.float32(most)
    whole = Grey(16, False, windows=((most / 2, float(most)),), function="LINEAR_EXACT")
    return Raster(pixels, 16, "", _decoder(), words, notes=tuple(notes), stored=stored, grey=whole)


def _plain(image: Image.Image, notes: list[str]) -> Image.Image:
    """Grey (L) or colour (RGB) without palette and transparency.

    Raises:
        DataError: P15 for colours that need a profile, P16 for values without a known range.
    """
    if image.mode in {"L", "RGB"} and "transparency" not in image.info:
        return image
    if image.mode in {"I", "F"}:
        raise DataError(
            "P16",
            "The picture holds numbers without a known range (32 bits)",
            todo="Save it with 8 or 16 bits.",
        )
    if image.mode == "1":
        return image.convert("L")
    if image.mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in image.info:
        return _on_black(image.convert("RGBA"), notes)
    if image.mode == "P":
        return image.convert("RGB")
    if image.mode == "CMYK" and not image.info.get("icc_profile"):
        notes.append("print colours (CMYK) converted without a profile")
        return image.convert("RGB")
    raise DataError(
        "P15", f"The picture's colours ({image.mode}) are not supported", todo="Save it as RGB."
    )


def _on_black(image: Image.Image, notes: list[str]) -> Image.Image:
    if image.getchannel("A").getextrema() != (255, 255):
        notes.append("transparent parts shown on black")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image.convert("RGB")


def _decoder() -> str:
    return f"Pillow {PIL.__version__}"


READERS.register("picture", __name__)(PillowReader())
