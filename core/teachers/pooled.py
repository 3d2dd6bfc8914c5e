"""What a teacher sees in images as they are: the spatial mean of its last map, kept on the disk.

Such a look depends on the teacher and on the pixels alone, not on the division, the student or the
losses. So one store for each teacher and data set serves the probe and the map for good; its folder
stands among those of `core.teachers.features` and is named by the same rule. Training looks at
other pictures (random views, `core.data.augment`); those are never used here, because figures of
two teachers can be compared only when both have seen the same pictures.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from core.data.augment import clean_view
from core.data.cache import PixelCache
from core.errors import SystemError_
from core.files import private_folder, read_json, require_free, write_json
from core.runs.lock import FileLock
from core.teachers.base import Teacher
from core.teachers.features import ABOUT
from core.teachers.room import store_key
from core.types import Reporter, Stopped

BATCH = 32
WAIT_S = 600.0  # another process may be filling the same store
NUMBERS, IMAGES = "pooled.bin", "images.json"
Array = np.ndarray


def pooled_features(teacher: Teacher, cache: PixelCache, rows: Array) -> Array:
    """Spatial means of the teacher's last map for clean pictures, ``[N, D]`` float32."""
    side, device = teacher.spec.image_px, teacher.mean.device
    pooled = [
        teacher(clean_view(cache.images(rows[start : start + BATCH]), side).to(device))[-1]
        .mean((2, 3))
        .float()
        .cpu()
        .numpy()
        for start in range(0, len(rows), BATCH)
    ]
    return np.concatenate(pooled)


def kept_features(
    teacher: Teacher,
    cache: PixelCache,
    frame: pd.DataFrame,
    data_sha256: str,
    folder: Path,
    reporter: Reporter,
) -> Array:
    """The same from the store; only images that are not in it yet are looked at.

    Args:
        teacher: The network.
        cache: Pixels.
        frame: Rows of the manifest.
        data_sha256: Hash of the data set.
        folder: Folder of all stores.
        reporter: Told how many images are done; may ask to stop.

    Returns:
        ``[N, D]`` float32, in the order of `frame`.

    Raises:
        Stopped: The reporter asked to stop; what is done stays.
        SystemError_: The disk is too small (E02), or another process keeps the store busy (E07).
    """
    home = private_folder(folder / store_key(teacher.spec, data_sha256, [], [], ["pooled"]))
    with FileLock(home / "lock").held(WAIT_S) as taken:
        if not taken:
            raise SystemError_(
                "E07",
                "Another process has kept this teacher's features busy for ten minutes",
                todo="Wait until it ends, or end it, then try again.",
            )
        known = _fill(teacher, cache, frame, data_sha256, home, reporter)
        numbers = np.fromfile(home / NUMBERS, np.float32).reshape(len(known), -1)
    place = {image: position for position, image in enumerate(known)}
    return numbers[[place[image] for image in frame["image"]]]


def _fill(
    teacher: Teacher,
    cache: PixelCache,
    frame: pd.DataFrame,
    data_sha256: str,
    home: Path,
    reporter: Reporter,
) -> list[str]:
    """Append what is missing; returns the images of the store in their order."""
    known: list[str] = read_json(home / IMAGES) if (home / IMAGES).exists() else []
    missing = frame[~frame["image"].isin(known)]
    done = len(frame) - len(missing)
    if len(missing):
        width = 4 * teacher.map_shapes()[-1][0]  # bytes of one image
        require_free(home, width * len(missing), "The store of teacher features")
    for start in range(0, len(missing), BATCH):
        if reporter.stop_requested():
            raise Stopped
        reporter.progress(done + start, len(frame))
        part = missing.iloc[start : start + BATCH]
        found = pooled_features(teacher, cache, part["row"].to_numpy())
        _append(home / NUMBERS, found, len(known))
        known = known + part["image"].tolist()
        write_json(home / IMAGES, known)  # after the numbers: what it names is there
        write_json(home / ABOUT, _about(teacher, data_sha256, len(known)))
    reporter.progress(len(frame), len(frame))
    return known


def _append(file: Path, numbers: Array, known: int) -> None:
    """Write behind the images that are known, over whatever a killed process has left."""
    with file.open("r+b" if file.exists() else "w+b") as opened:
        opened.seek(known * numbers[0].nbytes)
        opened.truncate()
        opened.write(numbers.tobytes())
        opened.flush()
        os.fsync(opened.fileno())


def _about(teacher: Teacher, data_sha256: str, images: int) -> dict[str, object]:
    """What the store is, for people; the store's name says it to programs."""
    return {
        "teacher": teacher.spec.title,
        "teacher_sha256": teacher.spec.sha256,
        "data_sha256": data_sha256,
        "pooled": images,
    }
