"""From stored values to a picture in [0, 1], in the order of DICOM PS3.3 C.11 and C.7.6.3.

Stored value, then modality step (table, or slope and intercept), then window (VOI), then the
inversion of MONOCHROME1, once and last. The result always spans [0, 1] of a *recorded* range, never
of one picture's own extremes unless the record says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from core.config import Window
from core.data.grey import HOUNSFIELD, UNKNOWN_UNIT, Grey, Table
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


@dataclass(frozen=True)
class Voi:
    """The step from modality values to [0, 1].

    Attributes:
        kind: ``"chosen"`` for all images, ``"preset"`` of the modality, ``"file"``, the file's
            ``"table"``, or, in place of a missing one, the ``"full"`` range or ``"percentiles"``.
        words: For the record.
        center: In the unit of the values; of a table, nothing.
        width: Likewise.
        function: One of `FUNCTIONS`.
        table: Instead of a window.
    """

    kind: str
    words: str
    center: float = 0.0
    width: float = 1.0
    function: str = "LINEAR_EXACT"
    table: Table | None = None

    def apply(self, values: Array) -> Array:
        """Modality values in [0, 1], float64."""
        if self.table is not None:
            low, high = float(self.table.values.min()), float(self.table.values.max())
            scale = high - low if high > low else 1.0
            return np.clip((self.table.apply(values) - low) / scale, 0.0, 1.0)
        return windowed(values, self.center, self.width, self.function)


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
    found = _Values.of(stored)
    voi = _choose(found, grey, fixed, wanted)
    outside = outside_of(found.stored, grey)
    shown = voi.apply(found.modality(grey))
    words = voi.words
    if grey.inverted:
        shown = 1.0 - shown
        words += "; MONOCHROME1 inverted"
    if outside is not None:
        shown = np.where(outside, 0.0, shown)
    shown = shown.astype(np.float32)
    return (shown if found.places is None else shown.take(found.places)), words


def choose_voi(stored: Array, grey: Grey, fixed: Window | None, wanted: str = "") -> Voi:
    """The window or table with which `render` makes its picture; the same arguments."""
    return _choose(_Values.of(stored), grey, fixed, wanted)


@dataclass(frozen=True)
class _Values:
    """The values of a picture, or up to 16 bits, which is quicker, every value that can occur.

    Attributes:
        stored: ``[H, W]``, or ``[N]`` all integers from the least to the greatest.
        places: Where in those each pixel's value stands, uint16 or uint8; None if `stored` are the
            pixels.
    """

    stored: Array
    places: Array | None = None

    @classmethod
    def of(cls, stored: Array) -> _Values:
        if stored.dtype.kind not in "iu" or stored.itemsize > 2:
            return cls(stored)
        low, high = int(stored.min()), int(stored.max())
        unsigned = np.dtype(f"u{stored.itemsize}")
        # Without a sign the difference wraps around to what it is: it lies below 2^16 (or 2^8).
        places = stored.astype(unsigned) - np.asarray(low & np.iinfo(unsigned).max, unsigned)
        return cls(np.arange(low, high + 1), places)

    @property
    def counts(self) -> Array | None:
        """How often each value occurs; None if `stored` are the pixels."""
        if self.places is None:
            return None
        return np.bincount(self.places.ravel(), minlength=len(self.stored))

    def modality(self, grey: Grey) -> Array:
        """Values in the modality's unit; 0 where there is no number."""
        stored = self.stored
        if stored.dtype.kind == "f" and not np.isfinite(stored).all():
            stored = np.where(np.isfinite(stored), stored, 0)
        return modality_values(stored, grey)

    def range(self, grey: Grey) -> tuple[float, float]:
        """`FALLBACK_PERCENTILES` of the pixels in the picture; their extremes if those are one."""
        values, counts = self.modality(grey).ravel(), self.counts
        kept = np.ones(values.shape, dtype=bool) if counts is None else counts > 0
        outside = outside_of(self.stored, grey)
        if outside is not None and (kept & ~outside.ravel()).any():
            kept &= ~outside.ravel()
        values = values[kept]
        if counts is None:
            low, high = (float(edge) for edge in np.percentile(values, FALLBACK_PERCENTILES))
        else:
            low, high = (_percentile(values, counts[kept], edge) for edge in FALLBACK_PERCENTILES)
        if high > low:
            return low, high
        return float(values.min()), float(values.max())


def _percentile(values: Array, counts: Array, edge: float) -> float:
    """Percentile of values that occur several times, interpolated as `numpy.percentile` does."""
    order = np.argsort(values)
    last = np.cumsum(counts[order]) - 1  # place of each value's last occurrence
    place = edge / 100 * last[-1]
    below, above = values[order][np.searchsorted(last, [np.floor(place), np.ceil(place)])]
    return float(below + (above - below) * (place - np.floor(place)))


def valid_windows(grey: Grey) -> list[tuple[int, float, float]]:
    """The windows that can be applied, as (place in the file's list from 1, center, width)."""
    least = 1.0 if window_function(grey) == "LINEAR" else 1e-9
    return [
        (place, center, width)
        for place, (center, width) in enumerate(grey.windows, start=1)
        if np.isfinite(center) and np.isfinite(width) and width >= least
    ]


def window_function(grey: Grey) -> str:
    """The function of the file's windows; LINEAR where it names an unknown one."""
    return grey.function if grey.function in FUNCTIONS else "LINEAR"


def file_windows(grey: Grey) -> list[Voi]:
    """Every window of the file that can be applied."""
    return [_from_file(grey, window) for window in valid_windows(grey)]


def _choose(found: _Values, grey: Grey, fixed: Window | None, wanted: str) -> Voi:
    """The first of: the user's window, preset or choice; the modality's default; the file's."""
    wanted = wanted.strip().casefold()
    if fixed is not None:
        return _fixed(fixed, "chosen", "chosen")
    if wanted in PRESETS and grey.unit in {HOUNSFIELD, UNKNOWN_UNIT}:
        return _fixed(PRESETS[wanted], "preset", f"preset {wanted}")
    remark = "" if wanted in {"", FROM_FILE} else " (not the window chosen, which it lacks)"
    if remark and (named := _named(grey, wanted)) is not None:
        return named
    if grey.unit == HOUNSFIELD and wanted != FROM_FILE:
        voi = _fixed(PRESETS[DEFAULT_PRESET], "preset", f"preset {DEFAULT_PRESET}")
    elif grey.voi_tables:
        voi = _tabled(grey.voi_tables[0])
    elif usable := file_windows(grey):
        voi = usable[0]
    else:
        voi = _fallback(found, grey)
        remark = (" (window ignored)" if grey.windows else " (no window)") + remark
    return replace(voi, words=voi.words + remark)


def _named(grey: Grey, wanted: str) -> Voi | None:
    """The file's window of that explanation or place in the list, if it has one that is valid."""
    for place, table in enumerate(grey.voi_tables, start=1):
        if wanted in {table.name.casefold(), f"table {place}"}:
            return _tabled(table)
    for window in valid_windows(grey):
        place = window[0]
        name = grey.names[place - 1].casefold() if place <= len(grey.names) else ""
        if wanted in {name, f"window {place}"}:
            return _from_file(grey, window)
    return None


def _fixed(window: Window, kind: str, why: str) -> Voi:
    words = f"{why} {window.center:g}/{window.width:g} LINEAR_EXACT"
    return Voi(kind, words, window.center, window.width)


def _tabled(table: Table) -> Voi:
    return Voi("table", f"file table of {len(table.values)} values", table=table)


def _from_file(grey: Grey, window: tuple[int, float, float]) -> Voi:
    place, center, width = window
    function = window_function(grey)
    words = f"file {place} of {len(grey.windows)}: {center:g}/{width:g} {function}"
    if grey.function not in FUNCTIONS:
        words += " (unknown function ignored)"
    return Voi("file", words, center, width, function)


def _fallback(found: _Values, grey: Grey) -> Voi:
    """Without a window: the whole stored range up to 8 bits, percentiles of the picture above."""
    if grey.bits <= 8 and grey.modality_table is None:
        least = -(2 ** (grey.bits - 1)) if grey.signed else 0
        ends = [
            stored * grey.slope + grey.intercept for stored in (least, least + 2**grey.bits - 1)
        ]
        return _spanning("full", f"full range {min(ends):g}..{max(ends):g}", min(ends), max(ends))
    low, high = found.range(grey)
    lower, upper = FALLBACK_PERCENTILES
    words = f"percentiles {lower:g}-{upper:g}: {low:g}..{high:g}"
    return _spanning("percentiles", words, low, high)


def _spanning(kind: str, words: str, low: float, high: float) -> Voi:
    """The window from `low`, shown black, to `high`; a picture of one value is black."""
    width = high - low if high > low else 1.0
    return Voi(kind, words, low + width / 2, width)


def outside_of(stored: Array, grey: Grey) -> Array | None:
    """Where there is no picture: padding, and numbers that are none; None where there is all."""
    mask = None
    if grey.padding is not None:
        mask = (stored >= min(grey.padding)) & (stored <= max(grey.padding))
    if stored.dtype.kind == "f":
        odd = ~np.isfinite(stored)
        mask = odd if mask is None else mask | odd
    return mask if mask is not None and mask.any() else None
