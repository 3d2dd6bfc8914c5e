"""From stored values to a picture in [0, 1], in the order of DICOM PS3.3 C.11 and C.7.6.3.

Stored value, then modality step (table, or slope and intercept), then window (VOI), then the
inversion of MONOCHROME1, once and last. The result always spans [0, 1] of a *recorded* range, never
of one picture's own extremes unless the record says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.config import Window
from core.data.picture import Array

FALLBACK_PERCENTILES = (1.0, 99.0)  # clips burnt-in marks and metal, keeps the anatomy
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
# Width and centre in Hounsfield units as OHIF and Orthanc Stone offer them (`interface.md` f).
PRESETS: Mapping[str, Window] = {
    "soft tissue": Window(center=40, width=400),
    "lung": Window(center=-600, width=1500),
    "liver": Window(center=90, width=150),
    "bone": Window(center=480, width=2500),
    "brain": Window(center=40, width=80),
    "angio": Window(center=300, width=600),
}
DEFAULT_PRESET = "soft tissue"
FROM_FILE = "file"
HOUNSFIELD = "HU"
UNKNOWN_UNIT = "?"  # a volume's: it may be Hounsfield units, as only the user can know


@dataclass(frozen=True)
class Table:
    """A look-up table: `first` maps to `values[0]`; below and above, the ends are repeated."""

    first: int
    values: Array
    name: str = ""

    def apply(self, stored: Array) -> Array:
        """Map each value (rounded to an integer) to float64."""
        places = np.rint(stored).astype(np.int64) - self.first
        return self.values.astype(np.float64)[np.clip(places, 0, len(self.values) - 1)]


@dataclass(frozen=True)
class Grey:
    """What a header says about its grey values.

    Attributes:
        bits: Bits stored, in [1, 64].
        signed: Whether stored values are two's complement.
        slope: Factor of the modality step; finite and not 0.
        intercept: Summand of the modality step.
        modality_table: Replaces slope and intercept.
        windows: (center, width) pairs as the file lists them, valid or not.
        names: The windows' explanations, as far as there are; free text of the header.
        function: VOI LUT function, as the file spells it.
        voi_tables: Take precedence over the windows.
        inverted: MONOCHROME1: the smallest value is white.
        padding: Inclusive range of stored values outside the picture, or None.
        unit: Of the values after the modality step: `HOUNSFIELD`, `UNKNOWN_UNIT` or ``""``.
    """

    bits: int
    signed: bool
    slope: float = 1.0
    intercept: float = 0.0
    modality_table: Table | None = None
    windows: tuple[tuple[float, float], ...] = ()
    names: tuple[str, ...] = ()
    function: str = "LINEAR"
    voi_tables: tuple[Table, ...] = ()
    inverted: bool = False
    padding: tuple[float, float] | None = None
    unit: str = ""


def modality_values(stored: Array, grey: Grey) -> Array:
    """Values in the modality's unit (Hounsfield units for CT), float64, the shape of `stored`."""
    if grey.modality_table is not None:
        return grey.modality_table.apply(stored)
    return stored.astype(np.float64) * grey.slope + grey.intercept


def windowed(values: Array, center: float, width: float, function: str) -> Array:
    """Apply one window: PS3.3 C.11.2.1.2 (LINEAR) and C.11.2.1.3 (LINEAR_EXACT, SIGMOID).

    Args:
        values: Modality values, float64.
        center: Middle of the window.
        width: At least 1 for LINEAR, above 0 for the others.
        function: One of `FUNCTIONS`.

    Returns:
        float64 in [0, 1].
    """
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -700, 700)))
    if function == "LINEAR_EXACT":
        return np.clip((values - center) / width + 0.5, 0.0, 1.0)
    if width == 1:
        return (values > center - 0.5).astype(np.float64)
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0.0, 1.0)


def render(stored: Array, grey: Grey, fixed: Window | None, wanted: str = "") -> tuple[Array, str]:
    """Turn stored grey values into a picture.

    Args:
        stored: ``[H, W]`` numbers, unused bits removed.
        grey: The header's word on them.
        fixed: The user's window for all images, in modality units; LINEAR_EXACT is used for it.
        wanted: The user's choice among the windows: see `PixelSettings.window_name`.

    Returns:
        ``[H, W]`` float32 in [0, 1], more is brighter, padding 0; and the window in words.
    """
    outside = _outside(stored, grey)
    if outside is not None and stored.dtype.kind == "f":
        stored = np.where(np.isfinite(stored), stored, 0)
    values = modality_values(stored, grey)
    shown, words = _apply_voi(values, grey, fixed, wanted.strip().casefold(), outside)
    if grey.inverted:
        shown = 1.0 - shown
        words += "; MONOCHROME1 inverted"
    if outside is not None:
        shown = np.where(outside, 0.0, shown)
    return shown.astype(np.float32), words


def valid_windows(grey: Grey) -> list[tuple[int, float, float]]:
    """The windows that can be applied, as (place in the file's list from 1, center, width)."""
    least = 1.0 if _function(grey) == "LINEAR" else 1e-9
    return [
        (place, center, width)
        for place, (center, width) in enumerate(grey.windows, start=1)
        if np.isfinite(center) and np.isfinite(width) and width >= least
    ]


def _function(grey: Grey) -> str:
    return grey.function if grey.function in FUNCTIONS else "LINEAR"


def _apply_voi(
    values: Array, grey: Grey, fixed: Window | None, wanted: str, outside: Array | None
) -> tuple[Array, str]:
    """The first of: the user's window, preset or choice; the modality's default; the file's."""
    if fixed is not None:
        return _fixed(values, fixed, "chosen")
    if wanted in PRESETS and grey.unit in {HOUNSFIELD, UNKNOWN_UNIT}:
        return _fixed(values, PRESETS[wanted], f"preset {wanted}")
    remark = "" if wanted in {"", FROM_FILE} else " (not the window chosen, which it lacks)"
    if remark and (named := _named(values, grey, wanted)) is not None:
        return named
    if grey.unit == HOUNSFIELD and wanted != FROM_FILE:
        shown, words = _fixed(values, PRESETS[DEFAULT_PRESET], f"preset {DEFAULT_PRESET}")
    elif grey.voi_tables:
        shown, words = _tabled(values, grey.voi_tables[0])
    elif usable := valid_windows(grey):
        shown, words = _from_file(values, grey, usable[0])
    else:
        shown, words = _fallback(values, grey, outside)
        words += " (window ignored)" if grey.windows else " (no window)"
    return shown, words + remark


def _named(values: Array, grey: Grey, wanted: str) -> tuple[Array, str] | None:
    """The file's window of that explanation or place in the list, if it has one that is valid."""
    for place, table in enumerate(grey.voi_tables, start=1):
        if wanted in {table.name.casefold(), f"table {place}"}:
            return _tabled(values, table)
    for window in valid_windows(grey):
        place = window[0]
        name = grey.names[place - 1].casefold() if place <= len(grey.names) else ""
        if wanted in {name, f"window {place}"}:
            return _from_file(values, grey, window)
    return None


def _fixed(values: Array, window: Window, why: str) -> tuple[Array, str]:
    shown = windowed(values, window.center, window.width, "LINEAR_EXACT")
    return shown, f"{why} {window.center:g}/{window.width:g} LINEAR_EXACT"


def _tabled(values: Array, table: Table) -> tuple[Array, str]:
    low, high = float(table.values.min()), float(table.values.max())
    return _scaled(table.apply(values), low, high), f"file table of {len(table.values)} values"


def _from_file(values: Array, grey: Grey, window: tuple[int, float, float]) -> tuple[Array, str]:
    place, center, width = window
    words = f"file {place} of {len(grey.windows)}: {center:g}/{width:g} {_function(grey)}"
    if grey.function not in FUNCTIONS:
        words += " (unknown function ignored)"
    return windowed(values, center, width, _function(grey)), words


def _fallback(values: Array, grey: Grey, outside: Array | None) -> tuple[Array, str]:
    """Without a window: the whole stored range up to 8 bits, percentiles of the picture above."""
    if grey.bits <= 8 and grey.modality_table is None:
        least = -(2 ** (grey.bits - 1)) if grey.signed else 0
        ends = [
            stored * grey.slope + grey.intercept for stored in (least, least + 2**grey.bits - 1)
        ]
        return _scaled(values, min(ends), max(ends)), f"full range {min(ends):g}..{max(ends):g}"
    inside = values if outside is None or outside.all() else values[~outside]
    low, high = (float(edge) for edge in np.percentile(inside, FALLBACK_PERCENTILES))
    if high <= low:  # a picture of nearly one value: keep what little it has
        low, high = float(inside.min()), float(inside.max())
    lower, upper = FALLBACK_PERCENTILES
    return _scaled(values, low, high), f"percentiles {lower:g}-{upper:g}: {low:g}..{high:g}"


def _scaled(values: Array, low: float, high: float) -> Array:
    return np.clip((values - low) / (high - low if high > low else 1.0), 0.0, 1.0)


def _outside(stored: Array, grey: Grey) -> Array | None:
    """Where there is no picture: padding, and numbers that are none."""
    mask = None
    if grey.padding is not None:
        mask = (stored >= min(grey.padding)) & (stored <= max(grey.padding))
    if stored.dtype.kind == "f":
        odd = ~np.isfinite(stored)
        mask = odd if mask is None else mask | odd
    return mask if mask is not None and mask.any() else None
