"""Colour pictures of 16 bits per sample, which Pillow reduces to 8 or cannot open: by SimpleITK."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from core.data.picture import Array
from core.errors import DataError

PNG = b"\x89PNG\r\n\x1a\n"
TIFF = (b"II*\0", b"MM\0*")
COLOUR_TYPES = {2, 6}  # of PNG: RGB, RGBA
WIDTH, HEIGHT, BITS, SAMPLES = 256, 257, 258, 277  # TIFF tags
HEADER_ERRORS = (KeyError, IndexError, ValueError, TypeError, SyntaxError, OSError, EOFError)


def deep_size(content: bytes) -> tuple[int, int] | None:
    """Columns and rows of a PNG or TIFF picture with three or four samples of 16 bits, else None.

    Args:
        content: The whole file.
    """
    if content.startswith(PNG):
        if len(content) < 26 or content[24] != 16 or content[25] not in COLOUR_TYPES:
            return None
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if not content.startswith(TIFF):
        return None
    try:
        opened = io.BytesIO(content)
        tags: Any = ImageFileDirectory_v2(content[:8])
        opened.seek(tags.next)
        tags.load(opened)
        if tags.next or set(tags[BITS]) != {16} or tags.get(SAMPLES) not in {3, 4}:
            return None
        return int(tags[WIDTH]), int(tags[HEIGHT])
    except HEADER_ERRORS:
        return None


def deep_colours(content: bytes, temporary: Path) -> Array:
    """Decode such a picture.

    Args:
        content: The whole file, for which `deep_size` is not None.
        temporary: Private folder for SimpleITK's copy.

    Returns:
        ``[H, W, 3]`` or ``[H, W, 4]`` uint16.

    Raises:
        DataError: P10, it is damaged.
    """
    import SimpleITK as sitk  # 0.3 s and 100 MB that most data sets never need

    png = content.startswith(PNG)
    path = temporary / ("deep.png" if png else "deep.tif")
    try:
        path.write_bytes(content)
        reader = "PNGImageIO" if png else "TIFFImageIO"
        values = np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO=reader)))
    except RuntimeError as error:
        raise DataError("P10", "The picture is damaged or cut short") from error
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    if values.ndim != 3 or values.dtype != np.uint16 or values.shape[2] not in {3, 4}:
        raise DataError("P10", "The picture is damaged or cut short")
    return values
