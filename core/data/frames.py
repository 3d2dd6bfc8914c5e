"""Which pictures of a file that holds several are used."""

from __future__ import annotations

from core.config import PixelSettings


def chosen_frames(total: int, settings: PixelSettings) -> list[int]:
    """Places from 0, rising; never empty.

    Args:
        total: How many pictures the file holds, at least 1.
        settings: All, the middle one, or every n-th; every n-th begins half a step in, so that the
            rest at both ends is alike.
    """
    if settings.frames == "middle":
        return [(total - 1) // 2]
    if settings.frames == "every":
        step = settings.every_nth
        start = ((total - 1) % step) // 2
        return list(range(start, total, step))
    return list(range(total))
