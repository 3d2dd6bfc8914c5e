"""From stored values to a picture in [0, 1], in the order of DICOM PS3.3 C.11 and C.7.6.3.

Stored value, then modality step (table, or slope and intercept), then window (VOI), then the
inversion of MONOCHROME1, once and last. The result always spans [0, 1] of a *recorded* range, never
of one picture's own extremes unless the record says so.
"""

from __future__ import annotations

import numpy as np

from core.config import Window
from core.data.grey import Grey
from core.data.picture import Array

FALLBACK_PERCENTILES = (0.5, 99.5)  # clips burnt-in marks and metal, keeps the anatomy
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


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


def render(stored: Array, grey: Grey, fixed: Window | None) -> tuple[Array, str]:
    """Turn stored grey values into a picture.

    Args:
        stored: ``[H, W]`` integers, unused bits removed.
        grey: The header's word on them.
        fixed: The user's window for all images, in modality units; LINEAR_EXACT is used for it.

    Returns:
        ``[H, W]`` float32 in [0, 1], more is brighter, padding 0; and the window in words.
    """
    outside = padding_mask(stored, grey)
    values = modality_values(stored, grey)
    shown, words = _apply_voi(values, grey, fixed, outside)
    if grey.inverted:
        shown = 1.0 - shown
        words += "; MONOCHROME1 inverted"
    if outside is not None:
        shown = np.where(outside, 0.0, shown)
    return shown.astype(np.float32), words


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


def _apply_voi(
    values: Array, grey: Grey, fixed: Window | None, outside: Array | None
) -> tuple[Array, str]:
    if fixed is not None:
        words = f"chosen {fixed.center:g}/{fixed.width:g} LINEAR_EXACT"
        return windowed(values, fixed.center, fixed.width, "LINEAR_EXACT"), words
    if grey.voi_table is not None:
        table = grey.voi_table
        low, high = float(table.values.min()), float(table.values.max())
        return _scaled(table.apply(values), low, high), f"file table of {len(table.values)} values"
    usable = valid_windows(grey)
    if usable:
        place, center, width = usable[0]
        function = window_function(grey)
        words = f"file {place} of {len(grey.windows)}: {center:g}/{width:g} {function}"
        if grey.function not in FUNCTIONS:
            words += " (unknown function ignored)"
        return windowed(values, center, width, function), words
    low, high, words = fallback_range(values, grey, outside)
    words += " (window ignored)" if grey.windows else " (no window)"
    return _scaled(values, low, high), words


def fallback_range(values: Array, grey: Grey, outside: Array | None) -> tuple[float, float, str]:
    """Without a window: the whole stored range up to 8 bits, percentiles of the picture above.

    Returns:
        The values shown black and white, and which they are in words.
    """
    if grey.bits <= 8 and grey.modality_table is None:
        least = -(2 ** (grey.bits - 1)) if grey.signed else 0
        ends = [
            stored * grey.slope + grey.intercept for stored in (least, least + 2**grey.bits - 1)
        ]
        return min(ends), max(ends), f"full range {min(ends):g}..{max(ends):g}"
    inside = values if outside is None or outside.all() else values[~outside]
    low, high = (float(edge) for edge in np.percentile(inside, FALLBACK_PERCENTILES))
    if high <= low:  # a picture of nearly one value: keep what little it has
        low, high = float(inside.min()), float(inside.max())
    lower, upper = FALLBACK_PERCENTILES
    return low, high, f"percentiles {lower}-{upper}: {low:g}..{high:g}"


def _scaled(values: Array, low: float, high: float) -> Array:
    return np.clip((values - low) / (high - low if high > low else 1.0), 0.0, 1.0)


def padding_mask(stored: Array, grey: Grey) -> Array | None:
    """Where `stored` lies outside the picture; None where it nowhere does."""
    if grey.padding is None:
        return None
    mask = (stored >= min(grey.padding)) & (stored <= max(grey.padding))
    return np.asarray(mask) if mask.any() else None
