"""What a store of teacher features is called and how much room it takes; readable without torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import BedsideError
from core.files import read_json, sha256_json
from core.teachers.spec import TeacherSpec

RESERVE = 2_000_000_000  # bytes of disk that a store leaves free
VERSION = 2  # of how features are computed; raise it when they change
MAP = r"\d+-\d+x\d+"  # tap, height and width
STORE_NAME = rf"[0-9a-f]{{16}}\.{MAP}(_{MAP})*"  # what `store_name` makes
BYTES = 2  # of one number in bfloat16
# of a teacher: nothing computed asks it
UNIMPORTANT = {
    "title",
    "about",
    "citation",
    "described_by",
    "facts",
    "licence_accepted",
    "verified",
}
Shape = tuple[int, int, int]


def store_key(
    spec: TeacherSpec,
    data_sha256: str,
    train: Sequence[str],
    validation: Sequence[str],
    choices: Sequence[Any],
) -> str:
    """A hash of what determines the content of a store, besides the maps it holds.

    Args:
        spec: The teacher, with the hash of its file.
        data_sha256: Hash of the data set.
        train: Ids of the training images, in the order of their positions.
        validation: Ids of the validation images.
        choices: From `store_choices`.
    """
    described = spec.model_dump(mode="json", exclude=UNIMPORTANT)
    return sha256_json(
        [VERSION, described, data_sha256, list(train), list(validation), list(choices)]
    )[:16]


def store_choices(seed: int, augment: str, precision: str) -> list[Any]:
    """What was asked for, for `store_key`: seed and kind of the views, and a certain arithmetic."""
    return [seed, augment, *([] if precision == "auto" else [precision])]


def store_name(key: str, taps: Sequence[int], grids: Sequence[tuple[int, int]]) -> str:
    """Folder name of a store of maps: its key, then the tap and grid of each map."""
    maps = [f"{tap}-{high}x{wide}" for tap, (high, wide) in zip(taps, grids, strict=True)]
    return f"{key}.{'_'.join(maps)}"


def find_store(folder: Path, name: str, views: int) -> tuple[Path, list[int]]:
    """Where the maps of a store are: in itself, or among those of a larger one that is complete.

    Args:
        folder: Folder of all stores.
        name: From `store_name`.
        views: How many views are wanted.

    Returns:
        Folder of the store, and for each map wanted its place there.
    """
    key, _, own = name.partition(".")
    wanted = own.split("_")
    for home in sorted(folder.glob(f"{key}.*")):
        there = home.name.partition(".")[2].split("_")
        if set(wanted) <= set(there) and stored_progress(home)["views"] >= views:
            return home, [there.index(each) for each in wanted]
    return folder / name, list(range(len(wanted)))


def stored_progress(store: Path) -> dict[str, int]:
    """How many clean images, whole views, and images of the next view a store holds."""
    try:
        found = read_json(store / "progress.json")
        return {name: int(found[name]) for name in ("clean", "views", "images")}
    except (OSError, ValueError, KeyError, TypeError, BedsideError):
        return {"clean": 0, "views": 0, "images": 0}


def kept_shapes(maps: Sequence[Shape], grids: Sequence[tuple[int, int]]) -> list[Shape]:
    """Shapes of the maps that are kept: the teacher's, averaged down to the student's grid.

    Args:
        maps: Channels, height and width of the teacher's map at each tap in use.
        grids: For each tap, the student's grid.
    """
    return [
        (channels, min(height, grid[0]), min(width, grid[1]))
        for (channels, height, width), grid in zip(maps, grids, strict=True)
    ]


def bytes_per_image(shapes: Sequence[Shape]) -> int:
    """Bytes that one view of one image takes."""
    return BYTES * sum(math.prod(shape) for shape in shapes)


def plan_views(per_view: int, clean: int, wanted: int, free: int) -> int:
    """How many views the disk holds: as many as wanted, fewer, or 0 (then the teacher runs online).

    Args:
        per_view: Bytes of one view.
        clean: Bytes of the clean validation features.
        wanted: Views asked for.
        free: Bytes free on the disk.
    """
    room = (free - RESERVE - clean) // max(1, per_view)
    return int(max(0, min(wanted, room)))
