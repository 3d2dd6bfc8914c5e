"""What a viewer needs of an image: its values before any window, at its own size.

The browser windows them itself, so a change costs no trip to the server. Values travel as *codes*,
``value = code * slope + intercept`` in the modality's unit, which for 16 bits loses nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from core.config import PixelSettings
from core.data.fit import fit_picture
from core.data.grey import Grey, Table
from core.data.picture import Array, Picture, Place, Raster
from core.data.pixels import Voi, choose_voi, file_windows, outside_of
from core.files import write_bytes

MOST_PIXELS = 4096 * 4096  # shown; larger images are averaged down to less
MOST_CODE = 65535


@dataclass(frozen=True)
class ViewWindow:
    """A window that can be chosen.

    Attributes:
        kind: See `core.data.pixels.Voi`.
        center: In the unit of the values.
        width: Likewise.
        function: One of `core.data.pixels.FUNCTIONS`.
    """

    kind: str
    center: float
    width: float
    function: str


@dataclass(frozen=True)
class Levels:
    """An image for a viewer.

    Attributes:
        codes: ``[H, W]`` uint16, or ``[H, W, 3]`` uint8 for colours.
        slope: Of the codes.
        intercept: Of the codes.
        windows: Those to offer. The first made the networks' picture, unless `curve` did.
        curve: Grey level, 0 to 255, of each code by the file's VOI table, where it has one. It
            made the networks' picture, unless the first window is chosen or a preset.
        unit: Of the values: ``"HU"``, ``"?"`` where they may be that, or ``""``.
        inverted: MONOCHROME1: the window's black is shown white.
        padding: First and last code outside the picture, shown black; or None.
        spacing: Millimetres between rows and between columns, or None.
        edges: See `core.data.picture.Raster`.
        shrunk: How many rows and columns of the file make one that is shown.
    """

    codes: Array
    slope: float = 1.0
    intercept: float = 0.0
    windows: tuple[ViewWindow, ...] = ()
    curve: Array | None = None
    unit: str = ""
    inverted: bool = False
    padding: tuple[int, int] | None = None
    spacing: tuple[float, float] | None = None
    edges: tuple[str, ...] = ()
    shrunk: int = 1


@dataclass(frozen=True, kw_only=True)
class View(Picture):
    """The picture that the cache would keep of an image, and the image for a viewer."""

    levels: Levels


def view_picture(raster: Raster, settings: PixelSettings, sha256: str, key: bytes) -> View:
    """Make a `View` of a decoded image; see `core.data.fit.fit_picture` for the arguments."""
    picture = fit_picture(raster, settings, sha256, key)
    return View(**vars(picture), levels=_levels(raster, settings))


def levels_of_picture(pixels: Array) -> Levels:
    """A picture of the cache for a viewer, where its file is no longer there.

    Args:
        pixels: ``[C, S, S]`` uint8 or uint16.
    """
    if len(pixels) == 1 or bool((pixels[0] == pixels[1:]).all()):
        most = float(np.iinfo(pixels.dtype).max)
        return Levels(pixels[0].astype(np.uint16), windows=(_whole(most),))
    colours = pixels if pixels.dtype == np.uint8 else np.rint(pixels / 257).astype(np.uint8)
    return Levels(np.ascontiguousarray(colours.transpose(1, 2, 0)), windows=(_whole(255.0),))


def write_levels(levels: Levels, facts: dict[str, Any], file: Path) -> None:
    """Write what the browser asks for: a length (uint32), JSON of that length, codes, curve.

    Args:
        levels: The image.
        facts: More for the JSON.
        file: Where to; readable by its owner alone.
    """
    codes, curve = levels.codes, levels.curve
    names = [field.name for field in fields(levels) if field.name not in {"codes", "curve"}]
    header = {name: getattr(levels, name) for name in names}
    header["windows"] = [asdict(window) for window in levels.windows]
    header |= facts | {
        "height": int(codes.shape[0]),
        "width": int(codes.shape[1]),
        "colour": codes.ndim == 3,
        "curve": 0 if curve is None else len(curve),
    }
    text = json.dumps(header, allow_nan=False).encode("utf-8")
    text += b" " * (-len(text) % 4)  # so that the codes lie on an even place
    parts = [len(text).to_bytes(4, "little"), text]
    parts.append(np.ascontiguousarray(codes, dtype=codes.dtype.newbyteorder("<")).tobytes())
    if curve is not None:
        parts.append(curve.tobytes())
    write_bytes(file, b"".join(parts), private=True)


def _levels(raster: Raster, settings: PixelSettings) -> Levels:
    height, width = raster.pixels.shape[:2]
    shrunk = max(1, int(np.ceil(np.sqrt(height * width / MOST_PIXELS))))
    facts: dict[str, Any] = {"edges": raster.edges, "shrunk": shrunk}
    facts["spacing"] = _spacing(raster.place)
    if raster.stored is not None and raster.grey is not None:
        facts |= _grey_levels(raster.stored, raster.grey, settings)
    else:
        facts |= {"codes": _plain_codes(raster.pixels), "windows": (_whole(255.0),)}
    facts["codes"] = _shrink(facts["codes"], shrunk)
    return Levels(**facts)


def _whole(most: float) -> ViewWindow:
    return ViewWindow("full", most / 2, most, "LINEAR_EXACT")


def _plain_codes(pixels: Array) -> Array:
    """Codes of a picture that is its own image: 8-bit grey, or colours."""
    if pixels.dtype != np.uint8:  # colours of more than 8 bits
        pixels = np.rint(pixels * 255).astype(np.uint8)
    if pixels.ndim == 3 and bool((pixels == pixels[..., :1]).all()):
        pixels = pixels[..., 0]
    return pixels if pixels.ndim == 3 else pixels.astype(np.uint16)


def _spacing(place: Place) -> tuple[float, float] | None:
    return (place.row_mm, place.column_mm) if place.spacing else None


def _grey_levels(stored: Array, grey: Grey, settings: PixelSettings) -> dict[str, Any]:
    outside = outside_of(stored, grey)
    values, slope, intercept = stored, grey.slope, grey.intercept
    if grey.modality_table is not None:
        values, slope, intercept = grey.modality_table.apply(stored), 1.0, 0.0
    low, step, codes = _codes(values)
    padding = None
    if outside is not None and grey.padding and grey.modality_table is None:
        ends = [round(min(max((end - low) / step, -1), MOST_CODE + 1)) for end in grey.padding]
        padding = min(ends), max(ends)
    scale, origin = slope * step, intercept + slope * low
    voi = choose_voi(stored, grey, settings.window, settings.window_name)
    return {
        "codes": codes,
        "slope": scale,
        "intercept": origin,
        "windows": _windows(voi, grey),
        "curve": _curve(voi.table or next(iter(grey.voi_tables), None), codes, scale, origin),
        "unit": grey.unit,
        "inverted": grey.inverted,
        "padding": padding,
    }


def _codes(values: Array) -> tuple[float, float, Array]:
    """Numbers as 16 bits: the least one, the step, and how many steps each lies above it."""
    values = values.astype(np.float64)
    finite = np.isfinite(values)
    inside = values[finite] if finite.any() else np.zeros(1)
    low, high = float(inside.min()), float(inside.max())
    step = (high - low) / MOST_CODE or 1.0
    if bool((inside == np.rint(inside)).all()):
        step = max(step, 1.0)
    return low, step, np.rint((np.where(finite, values, low) - low) / step).astype(np.uint16)


def _windows(voi: Voi, grey: Grey) -> tuple[ViewWindow, ...]:
    """The one that made the picture, then those of the file."""
    shown = (
        ViewWindow(each.kind, each.center, each.width, each.function)
        for each in (voi, *file_windows(grey))
        if each.table is None
    )
    return tuple(dict.fromkeys(shown))


def _curve(table: Table | None, codes: Array, slope: float, intercept: float) -> Array | None:
    """Grey levels of the codes up to the greatest by a VOI table of the file."""
    if table is None:
        return None
    values = np.arange(int(codes.max()) + 1) * slope + intercept
    shown = np.rint(Voi("table", "", table=table).apply(values) * 255)
    return np.asarray(shown, dtype=np.uint8)


def _shrink(codes: Array, factor: int) -> Array:
    """Means of `factor` x `factor` codes; a rest at the right and the bottom is left out."""
    if factor == 1:
        return codes
    rows, columns = (side // factor for side in codes.shape[:2])
    kept = codes[: rows * factor, : columns * factor]
    blocks = kept.reshape(rows, factor, columns, factor, *codes.shape[2:])
    return np.asarray(np.rint(blocks.mean(axis=(1, 3))).astype(codes.dtype))
