"""From a decoded image of any size to the square picture the cache keeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from core.config import PixelSettings
from core.data.cache import pixels_sha256
from core.data.hashes import perceptual_hash
from core.data.keys import keyed_hash
from core.data.picture import Array, Picture, Pixels, Place, Raster


def fit_picture(raster: Raster, settings: PixelSettings, sha256: str, key: bytes) -> Picture:
    """Make the cache's picture of a decoded image.

    Args:
        raster: The image as its reader decoded it.
        settings: Side of the square, and whether to pad or to stretch.
        sha256: Of the source file.
        key: Site key; the numbers of patient, study and series are replaced by keyed hashes here.
    """
    height, width = raster.pixels.shape[:2]
    channels = _channels(raster.pixels)
    square = _square(channels, settings, wide=raster.bits > 8)
    return Picture(
        pixels=square,
        sha256=sha256,
        phash=perceptual_hash(channels),
        patient=_hash(key, "patient", raster.patient),
        width=width,
        height=height,
        bits=raster.bits,
        modality=raster.modality,
        decoder=raster.decoder,
        window=raster.window,
        notes="; ".join(raster.notes),
        place=_hashed(raster.place, key),
        marks=replace(raster.marks, scanner=_hash(key, "scanner", raster.marks.scanner)),
        given=raster.given,
        pixels_sha256=pixels_sha256(square),
    )


def _hashed(place: Place, key: bytes) -> Place:
    """The same place without the numbers of its examination, series and object."""
    return replace(
        place,
        study=_hash(key, "study", place.study),
        series=_hash(key, "series", place.series),
        instance=_hash(key, "instance", place.instance),
    )


def _hash(key: bytes, kind: str, text: str) -> str:
    return keyed_hash(key, kind, text) if text else ""


def place_in_square(height: int, width: int, settings: PixelSettings) -> tuple[int, int, int, int]:
    """Where an image of `height` rows and `width` columns lies in the square the cache keeps.

    Returns:
        First row, first column, number of rows, number of columns.
    """
    side = settings.size_px
    if settings.fit == "stretch":
        return 0, 0, side, side
    scale = side / max(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    return (side - rows) // 2, (side - columns) // 2, rows, columns


def _channels(pixels: Array) -> Array:
    """``[1, H, W]`` for grey pictures, however they were stored, else ``[3, H, W]``."""
    if pixels.ndim == 2:
        return pixels[None]
    first = pixels[..., 0]
    if np.array_equal(first, pixels[..., 1]) and np.array_equal(first, pixels[..., 2]):
        return np.ascontiguousarray(first)[None]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _square(channels: Array, settings: PixelSettings, *, wide: bool) -> Pixels:
    """Resize (bilinear with antialiasing), pad with black, and round to the cache's type."""
    side = settings.size_px
    top, left, rows, columns = place_in_square(channels.shape[1], channels.shape[2], settings)
    square = np.zeros((len(channels), side, side), np.uint16 if wide else np.uint8)
    for target, channel in zip(square, channels, strict=True):
        target[top : top + rows, left : left + columns] = _resized(
            channel, rows, columns, wide=wide
        )
    return square


def _resized(channel: Array, rows: int, columns: int, *, wide: bool) -> Array:
    if channel.shape != (rows, columns):
        image = Image.fromarray(np.ascontiguousarray(channel))
        channel = np.asarray(image.resize((columns, rows), Image.Resampling.BILINEAR))
    if channel.dtype == np.uint8:
        return channel.astype(np.uint16) * 257 if wide else channel
    most = 65535 if wide else 255
    whole = np.rint(np.clip(channel, 0.0, 1.0) * most)
    return np.asarray(whole, dtype=np.uint16 if wide else np.uint8)
