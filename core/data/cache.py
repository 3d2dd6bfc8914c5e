"""The decoded pictures of a data set in one memory-mapped array: all that training reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from core.data.picture import Array, Pixels
from core.errors import DataError
from core.files import require_free, sha256_bytes

if TYPE_CHECKING:  # a decoding child needs neither, and pandas alone takes half its start
    import pandas as pd
    from torch import Tensor

FILE_NAME = "pixels.npy"
BLOCK = 64  # pictures copied at a time when the array changes its type


class CacheWriter:
    """Appends pictures to a new cache; memory stays flat however many there are.

    The array holds one type and one number of channels. It starts with those of the first picture
    and is widened (8 to 16 bits, grey to colour) when a later one needs more; both are exact.

    Args:
        folder: Existing folder, not yet seen by any reader.
        size_px: Side of every picture.
        kept: Pictures of an unfinished cache in `folder` to go on after; 0 begins anew.
    """

    def __init__(self, folder: Path, size_px: int, kept: int = 0) -> None:
        self.path = folder / FILE_NAME
        self.size_px = size_px
        self.channels = 1
        self.dtype: np.dtype[np.uint8] | np.dtype[np.uint16] = np.dtype(np.uint8)
        self.count = kept
        self._fresh.unlink(missing_ok=True)
        self._file: BinaryIO = self.path.open("r+b" if kept else "w+b")
        if kept:
            (self.channels, *_), self.dtype = _read_header(self._file)
            self._file.seek(kept * self._picture_bytes(), os.SEEK_CUR)
            self._file.truncate()
        else:
            self._write_header(self._file)

    def append(self, pixels: Pixels) -> int:
        """Add one picture and return its row.

        Args:
            pixels: ``[C, S, S]`` uint8 or uint16, C 1 or 3.
        """
        channels, dtype = max(self.channels, len(pixels)), max(self.dtype, pixels.dtype)
        if (channels, dtype) != (self.channels, self.dtype):
            self._widen(channels, dtype)
        self._file.write(np.ascontiguousarray(_widened(pixels, self.channels, self.dtype)).data)
        self.count += 1
        return self.count - 1

    def sync(self) -> None:
        """Put what was appended on disk; the file is no complete cache yet."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Complete the file and close it."""
        self._file.seek(0)
        self._write_header(self._file)
        self.sync()
        self._file.close()

    def close(self) -> None:
        """Close the file, complete or not."""
        self._file.close()

    @property
    def _fresh(self) -> Path:
        return self.path.with_suffix(".wide")

    def _picture_bytes(self) -> int:
        return self.channels * self.size_px**2 * self.dtype.itemsize

    def _write_header(self, file: BinaryIO) -> None:
        # numpy pads the header so that the first dimension can grow in place.
        np.lib.format.write_array_header_1_0(
            file,
            {
                "descr": np.lib.format.dtype_to_descr(self.dtype),
                "fortran_order": False,
                "shape": (self.count, self.channels, self.size_px, self.size_px),
            },
        )

    def _widen(self, channels: int, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]) -> None:
        old, fresh = self._file, self._fresh
        blocks = self._blocks(old, self.channels, self.dtype)
        self.channels, self.dtype = channels, dtype
        with old:
            self._file = fresh.open("w+b")
            self._write_header(self._file)
            for block in blocks:
                self._file.write(_widened(block, channels, dtype).tobytes())
        self._file.close()
        fresh.replace(self.path)
        self._file = self.path.open("r+b")
        self._file.seek(0, os.SEEK_END)

    def _blocks(
        self, file: BinaryIO, channels: int, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]
    ) -> Iterator[Array]:
        """The pictures so far, `BLOCK` at a time, read from where the header ends."""
        shape = (channels, self.size_px, self.size_px)
        picture_bytes = int(np.prod(shape)) * dtype.itemsize
        file.flush()
        file.seek(file.tell() - self.count * picture_bytes)
        for start in range(0, self.count, BLOCK):
            number = min(BLOCK, self.count - start)
            raw = file.read(number * picture_bytes)
            yield np.frombuffer(raw, dtype).reshape(number, *shape)


def _widened(
    pixels: Array, channels: int, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]
) -> Array:
    """Grey repeated to three channels, 8 bits times 257 to 16: value / maximum stays the same."""
    if pixels.dtype != dtype:
        pixels = pixels.astype(np.uint16) * np.uint16(257)
    if pixels.shape[-3] != channels:
        pixels = np.repeat(pixels, channels, axis=-3)
    return pixels


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape of one picture and type of a cache; the file is then at its first picture."""
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return shape[1:], dtype


def stored_pictures(folder: Path) -> Array:
    """The whole pictures of a cache, finished or not, ``[N, C, S, S]``, memory-mapped."""
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            shape, dtype = _read_header(file)
            start = file.tell()
    except (OSError, ValueError):
        return np.zeros((0, 1, 1, 1), dtype=np.uint8)
    count = (path.stat().st_size - start) // (int(np.prod(shape)) * dtype.itemsize)
    if count == 0:
        return np.zeros((0, *shape), dtype=dtype)
    return np.memmap(path, dtype, "r", start, (count, *shape))


def narrowed(picture: Array) -> Pixels:
    """A picture in the fewest bits and channels that hold it: what it was before any widening."""
    if len(picture) == 3 and (picture[0] == picture[1]).all() and (picture[0] == picture[2]).all():
        picture = picture[:1]
    if picture.dtype == np.uint16 and ((picture & 255) == picture >> 8).all():  # 257 times 8 bits
        picture = picture.astype(np.uint8)
    return np.ascontiguousarray(picture)


def pixels_sha256(picture: Array) -> str:
    """Hash of a picture's values; the same in every cache, however wide that is.

    Args:
        picture: ``[C, S, S]`` uint8 or uint16.
    """
    return sha256_bytes(narrowed(picture).tobytes())


class PixelCache:
    """Read access to a data set's pictures.

    Args:
        folder: The data set's folder.

    Attributes:
        channels: 1 or 3.
        size_px: Side of every picture.
        scale: Multiply stored values by it to reach [0, 1].

    Raises:
        DataError: I08, the cache is missing or cut short.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        try:
            self._pixels: Array = np.load(self._path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(
                "I08",
                "The decoded images of this data set are missing or damaged",
                todo="Import the images again.",
            ) from error
        self.channels, self.size_px = int(self._pixels.shape[1]), int(self._pixels.shape[2])
        self.scale = 1.0 / float(np.iinfo(self._pixels.dtype).max)

    def __len__(self) -> int:
        return len(self._pixels)

    def read(self, rows: Array) -> Array:
        """Copy pictures out of the cache.

        Args:
            rows: ``[N]`` integers, the manifest's `row`.

        Returns:
            ``[N, C, S, S]`` uint8 or uint16; see `scale`.
        """
        return np.array(self._pixels[np.asarray(rows, dtype=np.int64)])

    def release(self) -> None:
        """Map the file anew: every page read since counts as this process's memory."""
        self._pixels = np.load(self._path, mmap_mode="r", allow_pickle=False)

    def images(self, rows: Array) -> Tensor:
        """Pictures as the networks take them: ``[N, C, S, S]`` float32 in [0, 1]."""
        return self._floats(self.read(rows))

    def _floats(self, read: Array) -> Tensor:
        import torch  # seconds and 400 MB that an import of images never needs

        return torch.from_numpy(read.astype(np.float32)) * self.scale

    def values(self, rows: Array) -> Tensor:
        """Pictures for `augment.apply_views`: uint8 as stored, or of 16 bits as `images` gives."""
        import torch

        read = self.read(rows)
        return torch.from_numpy(read) if read.dtype == np.uint8 else self._floats(read)

    def verify(self, images: pd.DataFrame) -> None:
        """Compare pictures with the hashes of the manifest; bit rot has no other witness.

        Args:
            images: Usable rows of the manifest: image, row, pixels_sha256.

        Raises:
            DataError: I09, naming the images that changed (at most ten).
        """
        columns = (images["image"], images["row"], images["pixels_sha256"])
        changed = [
            str(image)
            for image, row, sha256 in zip(*columns, strict=True)
            if not 0 <= row < len(self) or pixels_sha256(self._pixels[row]) != sha256
        ]
        if changed:
            raise DataError(
                "I09",
                f"{len(changed)} decoded images have changed since they were imported",
                item=", ".join(changed[:10]),
                todo="Delete this data set and import the images again.",
            )


def require_room(folder: Path, images: int, size_px: int) -> None:
    """Refuse an import whose cache would not fit, at the largest it can become for grey images.

    Raises:
        SystemError_: E02.
    """
    require_free(folder, images * 2 * size_px**2, f"Decoding {images} images")
