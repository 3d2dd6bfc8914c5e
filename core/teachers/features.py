"""Teacher features, computed once and memory-mapped in bfloat16.

Kept are K deterministic views of each training image and one clean view of each validation image.

The store is keyed by the teacher's file and specification, the data, the view seed and the grid, so
two runs that differ only in the student or the losses share it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from core.data.augment import apply_views, clean_view, draw_views
from core.data.cache import PixelCache
from core.files import private_folder, read_facts, read_json, require_free, write_json
from core.teachers.base import Precision, Teacher
from core.teachers.precision import choose_precision
from core.teachers.room import (
    Shape,
    bytes_per_image,
    find_store,
    kept_shapes,
    store_choices,
    store_key,
    store_name,
    stored_progress,
)
from core.tensors import shrink_map
from core.types import Reporter, Stopped

BATCH = 32
ABOUT = "about.json"


@dataclass(frozen=True)
class FeatureRequest:
    """What features are wanted.

    Attributes:
        train: Training rows of the manifest, in the order of their positions.
        validation: Validation rows.
        data_sha256: Hash of the data set.
        seed: Seed of the views.
        views: K.
        augment: Kind of views, a key of `augment.RANGES`.
        taps: Positions in the teacher's list of taps.
        grids: For each tap, the student's grid; larger teacher maps are averaged down to it.
        precision: Arithmetic of the teacher. With "auto" the faster one is taken when a store is
            begun, and the store says which.
    """

    train: pd.DataFrame
    validation: pd.DataFrame
    data_sha256: str
    seed: int
    views: int
    augment: str
    taps: tuple[int, ...]
    grids: tuple[tuple[int, int], ...]
    precision: Literal["auto"] | Precision = "auto"

    def key(self, teacher: Teacher) -> str:
        """Folder name of the store: everything that determines its content."""
        key = store_key(
            teacher.spec,
            self.data_sha256,
            self.train["image"].tolist(),
            self.validation["image"].tolist(),
            store_choices(self.seed, self.augment, self.precision),
        )
        return store_name(key, self.taps, self.grids)


class Features(Protocol):
    """Where training gets the teacher's maps from."""

    views: int

    def seen(self, positions: np.ndarray, views: np.ndarray) -> list[Tensor]:
        """Maps of training images in given views, ``[B, C, h, w]`` float32 for each tap."""

    def clean(self, positions: np.ndarray) -> list[Tensor]:
        """Maps of validation images as they are, ``[B, C, h, w]`` float32 for each tap."""


class StoredFeatures:
    """Features read from disk; made by `build_store`.

    Args:
        folder: The store.
        views: How many are used of those it holds.
        places: Which of its maps are used.

    Attributes:
        precision: What the teacher looked in; stores that do not say are older than the choice.
    """

    def __init__(self, folder: Path, views: int, places: Sequence[int]) -> None:
        facts = read_json(folder / "store.json")
        self.views = views
        self.precision: Precision = read_facts(folder / ABOUT).get("precision", "float32")
        self._train, self._clean = (
            [_open(folder / f"{name}-{place}.bin", facts[name][place]) for place in places]
            for name in ("train", "clean")
        )

    def seen(self, positions: np.ndarray, views: np.ndarray) -> list[Tensor]:
        """See `Features.seen`."""
        return [_tensor(stored[views, positions]) for stored in self._train]

    def clean(self, positions: np.ndarray) -> list[Tensor]:
        """See `Features.clean`."""
        return [_tensor(stored[positions]) for stored in self._clean]


class OnlineFeatures:
    """Features computed when asked for: the fallback where the disk cannot hold a store.

    Args:
        teacher: The network.
        cache: Pixels.
        request: What is wanted.
        precision: Arithmetic of the network.
    """

    def __init__(
        self, teacher: Teacher, cache: PixelCache, request: FeatureRequest, precision: Precision
    ) -> None:
        self.views = request.views
        self._teacher = teacher
        self._cache = cache
        self._request = request
        self._precision = precision

    def seen(self, positions: np.ndarray, views: np.ndarray) -> list[Tensor]:
        """See `Features.seen`."""
        frame = self._request.train.iloc[positions]
        return self._maps(frame, views)

    def clean(self, positions: np.ndarray) -> list[Tensor]:
        """See `Features.clean`."""
        frame = self._request.validation.iloc[positions]
        return self._maps(frame, None)

    def _maps(self, frame: pd.DataFrame, views: np.ndarray | None) -> list[Tensor]:
        return teacher_maps(
            self._teacher, self._cache, self._request, frame, views, self._precision
        )


def teacher_maps(
    teacher: Teacher,
    cache: PixelCache,
    request: FeatureRequest,
    frame: pd.DataFrame,
    views: np.ndarray | None,
    precision: Precision,
) -> list[Tensor]:
    """Run the teacher on some images.

    Args:
        teacher: The network.
        cache: Pixels.
        request: Which taps, at which grid, in which kind of views.
        frame: Rows of the manifest.
        views: View of each row; nothing for the clean picture.
        precision: Arithmetic of the network.

    Returns:
        ``[B, C, h, w]`` float32 on the processor for each tap asked for.
    """
    side = teacher.spec.image_px
    rows = frame["row"].to_numpy()
    if views is None:
        pictures = clean_view(cache.images(rows), side)
    else:
        drawn = draw_views(request.seed, frame["image"].tolist(), views.tolist(), request.augment)
        pictures = apply_views(cache.values(rows), drawn, side)
    maps = teacher(pictures.to(teacher.mean.device), precision)
    return [
        _shrink(maps[tap], grid).cpu()
        for tap, grid in zip(request.taps, request.grids, strict=True)
    ]


def store_bytes(teacher: Teacher, request: FeatureRequest) -> tuple[int, int]:
    """Bytes of one view of the training images, and of the clean validation images."""
    each = bytes_per_image(_kept_shapes(teacher, request))
    return each * len(request.train), each * len(request.validation)


def build_store(
    teacher: Teacher,
    cache: PixelCache,
    request: FeatureRequest,
    folder: Path,
    reporter: Reporter,
) -> StoredFeatures:
    """Compute what is missing of a store and open it; nothing, where a larger one holds it all.

    Views are added one by one; an interrupted or a smaller store is continued, never redone.

    Args:
        teacher: The network.
        cache: Pixels.
        request: What is wanted.
        folder: Folder of all stores; this one is a subfolder named by `FeatureRequest.key`.
        reporter: Told of progress; may ask to stop.

    Raises:
        SystemError_: The disk is too small.
        Stopped: The reporter asked to stop; what is done stays.
    """
    per_view, clean = store_bytes(teacher, request)
    name = request.key(teacher)
    home, places = find_store(folder, name, request.views)
    if home.name != name:
        return StoredFeatures(home, request.views, places)
    private_folder(home)
    done = stored_progress(home)
    missing = max(0, request.views - done["views"])
    if missing or done["clean"] < len(request.validation):
        require_free(home, missing * per_view + clean, "The store of teacher features")
    precision = _precision(home, teacher, request)
    write_json(home / ABOUT, _about(teacher, request, precision))
    passes: list[tuple[str, int]] = [("clean", 0)]
    passes += [("train", view) for view in range(done["views"], request.views)]
    shapes = _kept_shapes(teacher, request)
    total = len(request.validation) - done["clean"] + missing * len(request.train) - done["images"]
    finished = 0
    for name, view in passes:
        frame = request.validation if name == "clean" else request.train
        first = done["clean"] if name == "clean" else done["images"]
        offset = view * len(frame)
        for start in range(first, len(frame), BATCH):
            if reporter.stop_requested():
                _record(home, done)
                raise Stopped
            part = frame.iloc[start : start + BATCH]
            views = None if name == "clean" else np.full(len(part), view)
            maps = teacher_maps(teacher, cache, request, part, views, precision)
            for place, found in enumerate(maps):
                _append(home / f"{name}-{place}.bin", found, offset + start)
            done["clean" if name == "clean" else "images"] = start + len(part)
            finished += len(part)
            reporter.progress(finished, max(total, finished))
            if start // BATCH % 8 == 7:
                _record(home, done)
        if name == "train":
            done["views"], done["images"] = view + 1, 0
        _record(home, done)
    facts = {
        "train": [[done["views"], len(request.train), *shape] for shape in shapes],
        "clean": [[len(request.validation), *shape] for shape in shapes],
    }
    write_json(home / "store.json", facts)
    return StoredFeatures(home, request.views, places)


def _precision(home: Path, teacher: Teacher, request: FeatureRequest) -> Precision:
    """What the store was begun in; nothing is said in stores older than the choice."""
    begun = "float32" if any(stored_progress(home).values()) else request.precision
    known: Precision | None = read_facts(home / ABOUT).get("precision")
    return known or choose_precision(teacher, begun)


def _about(teacher: Teacher, request: FeatureRequest, precision: Precision) -> dict[str, object]:
    """What the store is, for people and, of its arithmetic, for who continues it."""
    return {
        "teacher": teacher.spec.title,
        "teacher_sha256": teacher.spec.sha256,
        "data_sha256": request.data_sha256,
        "train": len(request.train),
        "validation": len(request.validation),
        "precision": precision,
    }


def _kept_shapes(teacher: Teacher, request: FeatureRequest) -> list[Shape]:
    shapes = teacher.map_shapes()
    return kept_shapes([shapes[tap] for tap in request.taps], request.grids)


def _record(home: Path, done: dict[str, int]) -> None:
    """Say how far the store is, once that is on the disk."""
    for file in home.glob("*.bin"):
        with file.open("rb+") as opened:
            os.fsync(opened.fileno())
    write_json(home / "progress.json", done)


def _shrink(features: Tensor, grid: tuple[int, int]) -> Tensor:
    height, width = features.shape[-2:]
    target = (min(height, grid[0]), min(width, grid[1]))
    return features if target == (height, width) else shrink_map(features, target)


def _append(file: Path, features: Tensor, at: int) -> None:
    """Write ``[B, C, h, w]`` as bfloat16 from image `at` on."""
    stored = features.to(torch.bfloat16).contiguous().view(torch.int16).numpy()
    with file.open("r+b" if file.exists() else "w+b") as opened:
        opened.seek(at * stored[0].nbytes)
        opened.write(stored.tobytes())


def _open(file: Path, shape: list[int]) -> np.ndarray:
    return np.memmap(file, dtype=np.int16, mode="r", shape=tuple(shape))


def _tensor(stored: np.ndarray) -> Tensor:
    found = torch.from_numpy(np.ascontiguousarray(stored)).view(torch.bfloat16)
    return found.to(torch.float32, memory_format=torch.channels_last)  # as training wants them
