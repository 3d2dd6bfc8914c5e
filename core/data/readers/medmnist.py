"""MedMNIST's ``.npz``: pictures of one size with their labels and parts, read without pickle."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from core.config import PixelSettings
from core.data.picture import Array, Failure, Given, Place, Raster
from core.data.readers.base import READERS
from core.data.versions import versioned
from core.errors import DataError

ZIP = b"PK\x03\x04"
PARTS = {"train": "train", "val": "validation", "test": "test"}
MOST_PICTURES = 1_000_000
LARGEST_LABELS = 64 * 2**20  # bytes
LARGEST_SIDE = 2048


class MedmnistReader:
    """Files with arrays ``train_images``, ``train_labels``, ``val_images`` and so on."""

    suffixes: tuple[str, ...] = (".npz",)
    damaged = ("P30", "The file of arrays is damaged or cut short")
    labelled = True

    def recognises(self, head: bytes) -> bool:
        """By a zip archive whose first entry is an array."""
        size = int.from_bytes(head[26:28], "little")
        return head.startswith(ZIP) and head[30 : 30 + size].endswith(b".npy")

    def read(
        self, content: bytes, settings: PixelSettings, temporary: Path
    ) -> Iterator[Raster | Failure]:
        """Every picture with its label and the part it was put in; `settings.frames` means series.

        Raises:
            DataError: P30 damaged, P31 not in this layout.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                yield from _pictures(archive)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError) as error:
            raise DataError(*self.damaged) from error

    def tag(self, content: bytes, name: str) -> str:
        """Arrays have no header fields to label by."""
        return ""


@dataclass(frozen=True)
class _Part:
    """One part's pictures and labels.

    Attributes:
        name: ``"train"``, ``"val"`` or ``"test"``.
        shape: ``(N, H, W)`` or ``(N, H, W, 3)``.
        labels: ``[N, 1]`` classes or ``[N, C]`` findings, or None.
    """

    name: str
    shape: tuple[int, ...]
    labels: Array | None


def _pictures(archive: zipfile.ZipFile) -> Iterator[Raster]:
    names = {info.filename: info for info in archive.infolist()}
    parts = [_part(archive, name) for name in PARTS if f"{name}_images.npy" in names]
    if not parts:
        raise _other_layout()
    classes, findings = _classes(parts)
    frames, frame = sum(part.shape[0] for part in parts), 0
    if frames > MOST_PICTURES:
        raise _other_layout()
    for part in parts:
        with archive.open(f"{part.name}_images.npy") as opened:
            _header(opened)
            for row in range(part.shape[0]):
                labels = _labels(part, row, classes, findings=findings)
                yield Raster(
                    pixels=_next(opened, part.shape[1:]),
                    bits=8,
                    modality="",
                    decoder=versioned("numpy"),
                    window="full range 0..255",
                    place=Place(frame=frame, frames=frames, number=frame + 1),
                    given=Given(labels, classes, findings, PARTS[part.name], alone=True),
                )
                frame += 1


def _part(archive: zipfile.ZipFile, name: str) -> _Part:
    with archive.open(f"{name}_images.npy") as opened:
        shape, dtype = _header(opened)
    if len(shape) == 4 and shape[3] == 1:
        shape = shape[:3]
    square = all(0 < side <= LARGEST_SIDE for side in shape[1:3])
    if (
        dtype != np.uint8
        or not square
        or not (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3))
    ):
        raise _other_layout()
    return _Part(name, shape, _label_array(archive, name, shape[0]))


def _label_array(archive: zipfile.ZipFile, name: str, count: int) -> Array | None:
    try:
        info = archive.getinfo(f"{name}_labels.npy")
    except KeyError:
        return None
    if info.file_size > LARGEST_LABELS:
        raise _other_layout()
    with archive.open(info) as opened:
        labels = np.lib.format.read_array(opened, allow_pickle=False)
    labels = labels.reshape(len(labels), -1) if labels.ndim else labels
    if labels.dtype.kind not in "iub" or len(labels) != count or labels.ndim != 2:
        raise _other_layout()
    return labels.astype(np.int64)


def _header(opened: IO[bytes]) -> tuple[tuple[int, ...], Any]:
    """Shape and type of an array; the stream then stands at its first number."""
    major, _ = np.lib.format.read_magic(opened)
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    if major not in read:
        raise _other_layout()
    shape, fortran, dtype = read[major](opened)
    if fortran or dtype.hasobject:
        raise _other_layout()
    return shape, dtype


def _next(opened: IO[bytes], shape: tuple[int, ...]) -> Array:
    raw = opened.read(math.prod(shape))
    return np.frombuffer(raw, np.uint8).reshape(shape)


def _classes(parts: list[_Part]) -> tuple[tuple[str, ...], bool]:
    """Names of the classes, which the files number, and whether they are findings."""
    widths = {part.labels.shape[1] for part in parts if part.labels is not None}
    if not widths:
        return (), False
    if len(widths) > 1:
        raise _other_layout()
    arrays = [part.labels for part in parts if part.labels is not None]
    (width,) = widths
    if width > 1:
        if any(((array != 0) & (array != 1)).any() for array in arrays):
            raise _other_layout()
        return tuple(map(str, range(width))), True
    numbers = sorted({int(number) for array in arrays for number in np.unique(array)})
    return tuple(map(str, numbers)), False


def _labels(
    part: _Part, row: int, classes: tuple[str, ...], *, findings: bool
) -> tuple[str, ...] | None:
    if part.labels is None:
        return None
    if findings:
        return tuple(classes[place] for place in np.flatnonzero(part.labels[row]))
    return (str(part.labels[row, 0]),)


def _other_layout() -> DataError:
    return DataError(
        "P31",
        "The arrays are not laid out as in MedMNIST (8-bit images with labels)",
        todo="Name them train_images, train_labels, val_images and so on.",
    )


READERS.register("medmnist", __name__)(MedmnistReader())
