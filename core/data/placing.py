"""What the edges of a DICOM image point to in the body. For display only: no network sees it."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

from core.data.geometry import directions_of

AXES = (("R", "L"), ("A", "P"), ("F", "H"))  # towards smaller and larger x, y, z (PS3.3 C.7.6.2)
OBLIQUE = 0.35  # share of a direction that is worth a second letter
OPPOSITE = str.maketrans("RLAPFH", "LRPAHF")


def edges_of(header: Dataset, frame: int) -> tuple[str, ...]:
    """What left, top, right and bottom of a frame point to; empty where it is not known."""
    cosines = directions_of(header, frame)
    right, down = (_letters(cosines[:3]), _letters(cosines[3:])) if cosines else _named(header)
    if not right or not down:
        return ()
    return right.translate(OPPOSITE), down.translate(OPPOSITE), right, down


def _letters(direction: Sequence[float]) -> str:
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
