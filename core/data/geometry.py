"""Where a DICOM frame lies: series, orientation, position along the normal, distances of pixels."""

from __future__ import annotations

import math

from pydicom.dataset import Dataset

from core.data.groups import speaker
from core.data.kinds import items, numbers, text, whole
from core.data.picture import Place

LARGEST_MM = 1000.0
# Of the fields that give the distance of pixels, the one at the patient comes first.
SPACINGS = (
    ("PixelSpacing", "patient"),
    ("ImagerPixelSpacing", "detector"),
    ("NominalScannedPixelSpacing", "film"),
)
CENTIMETRES = 3  # PS3.3 C.8.5.5.1.15


def place_of(header: Dataset, frame: int) -> Place:
    """Place of one frame; what is absent or impossible stays unknown."""
    directions = directions_of(header, frame)
    row_mm, column_mm, kind = _spacing(header, frame)
    return Place(
        frame=frame,
        frames=int(header.NumberOfFrames),
        study=text(header, "StudyInstanceUID"),
        series=text(header, "SeriesInstanceUID"),
        instance=text(header, "SOPInstanceUID"),
        orientation=",".join(f"{value + 0.0:.2f}" for value in directions).replace("-0.00", "0.00"),
        position_mm=_position(header, frame, directions),
        number=max(-(2**31), min(2**31 - 1, whole(header, "InstanceNumber", 0))),
        row_mm=row_mm,
        column_mm=column_mm,
        spacing=kind,
    )


def directions_of(header: Dataset, frame: int) -> tuple[float, ...]:
    """Cosines of the row and the column, if they are two unit vectors at a right angle."""
    name = "ImageOrientationPatient"
    found = numbers(speaker(header, "PlaneOrientationSequence", name, frame), name)
    if len(found) != 6 or not all(map(math.isfinite, found)):
        return ()
    row, column = found[:3], found[3:]  # numpy takes ten times as long for six numbers
    product = sum(one * other for one, other in zip(row, column, strict=True))
    if max(abs(math.hypot(*row) - 1), abs(math.hypot(*column) - 1), abs(product)) > 0.01:
        return ()
    return tuple(found)


def _position(header: Dataset, frame: int, directions: tuple[float, ...]) -> float:
    name = "ImagePositionPatient"
    corner = numbers(speaker(header, "PlanePositionSequence", name, frame), name)
    if len(corner) != 3 or not all(map(math.isfinite, corner)) or not directions:
        return math.nan
    (x, y, z), (u, v, w) = directions[:3], directions[3:]
    normal = (y * w - z * v, z * u - x * w, x * v - y * u)
    along = sum(one * other for one, other in zip(normal, corner, strict=True))
    offsets = numbers(header, "GridFrameOffsetVector")  # a dose grid: one corner, many planes
    if frame < len(offsets) and offsets[0] == 0 and math.isfinite(offsets[frame]):
        return along + offsets[frame]
    return along


def _spacing(header: Dataset, frame: int) -> tuple[float, float, str]:
    for name, kind in SPACINGS:
        found = numbers(speaker(header, "PixelMeasuresSequence", name, frame), name)
        if len(found) == 2 and all(0 < value <= LARGEST_MM for value in found):
            return found[0], found[1], kind
    regions = items(header, "SequenceOfUltrasoundRegions")
    scales = {_region_mm(region) for region in regions}
    if len(scales) == 1 and None not in scales:
        ((row, column),) = (scale for scale in scales if scale)
        return row, column, "patient"
    return math.nan, math.nan, ""


def _region_mm(region: Dataset) -> tuple[float, float] | None:
    """Distances of rows and columns in an ultrasound region measured in centimetres."""
    units = [whole(region, f"PhysicalUnits{axis}Direction", 0) for axis in "YX"]
    found = [abs(value) * 10 for axis in "YX" for value in numbers(region, f"PhysicalDelta{axis}")]
    if units != [CENTIMETRES] * 2 or len(found) != 2:
        return None
    return (found[0], found[1]) if all(0 < value <= LARGEST_MM for value in found) else None
