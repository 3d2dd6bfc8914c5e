"""Functional groups: what an enhanced image says per frame, for all frames, or at the top."""

from __future__ import annotations

from pydicom.dataset import Dataset

from core.data.kinds import HEADER_ERRORS, items, value_of

PER_FRAME = "PerFrameFunctionalGroupsSequence"
SHARED = "SharedFunctionalGroupsSequence"


def speaker(header: Dataset, group: str, keyword: str, frame: int) -> Dataset:
    """The part of the header that speaks for a frame about `keyword`.

    Args:
        header: The whole header.
        group: Functional group that may hold it (``"PixelValueTransformationSequence"``).
        keyword: The field.
        frame: From 0.

    Returns:
        The frame's own group, else the one shared by all frames, else the header itself.
    """
    for place in (_item(header, PER_FRAME, frame), _item(header, SHARED, 0)):
        if place is None:
            continue
        found = next(iter(items(place, group)), None)
        if found is not None and keyword in found:
            return found
    return header


def _item(header: Dataset, keyword: str, index: int) -> Dataset | None:
    try:
        sequence = value_of(header, keyword)
        return sequence[index] if sequence and index < len(sequence) else None
    except HEADER_ERRORS:
        return None
