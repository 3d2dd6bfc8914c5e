"""What a picture shows without its content: size, brightness, border, how it was acquired.

If one of these alone tells the classes apart, a network will learn it instead of the disease
(Zech et al., PLoS Medicine 2018;15:e1002683; DeGrave et al., Nature Machine Intelligence
2021;3:610).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.config import PixelSettings
from core.data.cache import PixelCache
from core.data.picture import Array

BORDER = 12  # the outer twelfth on each side
TOGETHER = 1_000  # pictures read before their memory is given back
CATEGORIES = 20  # of one column; the rest count as one
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
NAMED = ("modality", "scanner", "decoder", "burned_in", "spacing")  # columns of categories
COUNTED = ("bits", "lossy", "overlays", "row_mm", "column_mm")  # columns of numbers


def acquisition(frame: pd.DataFrame) -> Array:
    """How an image was made and stored: ``[N, F]`` float64."""
    parts = [_categories(frame[name]) for name in NAMED if name in frame]
    parts.append(_categories(frame["window"].str.partition(":")[0]))
    numbers = [frame[name].astype("float64").fillna(-1.0) for name in COUNTED if name in frame]
    return np.concatenate([*parts, *(number.to_numpy()[:, None] for number in numbers)], axis=1)


def size(frame: pd.DataFrame) -> Array:
    """Width, height, area and proportion of the source image: ``[N, 4]`` float64."""
    width, height = (frame[name].to_numpy(dtype=np.float64) for name in ("width", "height"))
    return np.stack([width, height, width * height, width / np.maximum(height, 1)], axis=1)


def brightness_and_border(
    cache: PixelCache, frame: pd.DataFrame, pixels: PixelSettings
) -> tuple[Array, Array]:
    """Grey values of the whole picture, ``[N, 9]``, and of its margins, ``[N, 16]``; in [0, 1].

    Both look at the picture inside the square of the cache, without what was padded.
    """
    whole, margins = [], []
    columns = (frame["row"], frame["width"], frame["height"])
    for number, (row, width, height) in enumerate(zip(*columns, strict=True), start=1):
        picture = cache.read(np.array([row]))[0].mean(axis=0, dtype=np.float32) * cache.scale
        inside = _inside(picture, int(width), int(height), pixels)
        whole.append(_tones(inside))
        margins.append(_margins(inside))
        if number % TOGETHER == 0:
            cache.release()
    return np.array(whole), np.array(margins)


def _categories(values: pd.Series) -> Array:
    """One column of 0 and 1 for every frequent value."""
    texts = values.astype("str")
    frequent = texts.value_counts().index[:CATEGORIES]
    return np.stack([(texts == name).to_numpy(dtype=np.float64) for name in frequent], axis=1)


def _inside(picture: Array, width: int, height: int, pixels: PixelSettings) -> Array:
    """The part of the square that holds the image; as `core.data.fit` places it."""
    if pixels.fit == "stretch" or not (width and height):
        return picture
    side, scale = len(picture), len(picture) / max(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (side - rows) // 2, (side - columns) // 2
    return picture[top : top + rows, left : left + columns]


def _tones(picture: Array) -> list[float]:
    counts = np.bincount((picture.ravel() * 255).astype(np.int64), minlength=256)
    shares = counts / counts.sum()
    below = np.cumsum(shares)
    quantiles = [float(np.searchsorted(below, level)) / 255 for level in LEVELS]
    deviation, mean = float(picture.std()), float(picture.mean())
    return [mean, deviation, *quantiles, float(shares[:3].sum()), float(shares[-3:].sum())]


def _margins(picture: Array) -> list[float]:
    deep, wide = (max(1, side // BORDER) for side in picture.shape)
    sides = (picture[:deep], picture[-deep:], picture[:, :wide], picture[:, -wide:])
    corners = (
        picture[:deep, :wide], picture[:deep, -wide:],
        picture[-deep:, :wide], picture[-deep:, -wide:],
    )  # fmt: skip
    found = [float(value) for side in sides for value in (side.mean(), side.std(), side.max())]
    return found + [float(corner.mean()) for corner in corners]
