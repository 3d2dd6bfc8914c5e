"""Where a DICOM image lies in the body: millimetres per pixel, and what its edges point to.

For display only; the networks see neither.
"""

from __future__ import annotations

import math

import numpy as np
from pydicom.dataset import Dataset

from core.data.header import numbers

AXES = (("R", "L"), ("A", "P"), ("F", "H"))  # towards smaller and larger x, y, z (PS3.3 C.7.6.2)
OBLIQUE = 0.35  # share of a direction that is worth a second letter
OPPOSITE = str.maketrans("RLAPFH", "LRPAHF")


def spacing_of(header: Dataset) -> tuple[float, float] | None:
    """Millimetres between rows and between columns: PixelSpacing, else ImagerPixelSpacing."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        found = numbers(header, keyword)
        if len(found) == 2 and all(math.isfinite(gap) and 1e-4 < gap < 1e3 for gap in found):
            return found[0], found[1]
    return None


def edges_of(header: Dataset) -> tuple[str, ...]:
    """What left, top, right and bottom of the picture point to; empty where it is not known."""
    cosines = numbers(header, "ImageOrientationPatient")
    if len(cosines) == 6 and np.isfinite(cosines).all() and np.abs(cosines).max() <= 1.01:
        right, down = _letters(cosines[:3]), _letters(cosines[3:])
    else:
        right, down = _named(header)
    if not right or not down:
        return ()
    return right.translate(OPPOSITE), down.translate(OPPOSITE), right, down


def _letters(direction: list[float]) -> str:
    """The one or two letters of a direction in the body, the stronger first."""
    order = sorted(range(3), key=lambda axis: -abs(direction[axis]))[:2]
    strong = [axis for axis in order if abs(direction[axis]) >= OBLIQUE]
    return "".join(AXES[axis][direction[axis] > 0] for axis in strong)


def _named(header: Dataset) -> tuple[str, str]:
    """The letters that PatientOrientation names for the row's and the column's direction."""
    try:
        value = header.get("PatientOrientation")
        several = value is not None and not isinstance(value, str)
        names = [str(name).strip().upper() for name in value] if several else []
    except (TypeError, ValueError):
        return "", ""
    if len(names) != 2 or any(not 1 <= len(n) <= 2 or set(n) - set("RLAPFH") for n in names):
        return "", ""
    return names[0], names[1]
