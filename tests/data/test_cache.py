"""The memory-mapped cache: exact whatever is appended, and every change found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.data.cache import CacheWriter, PixelCache, pixels_sha256
from core.errors import DataError

RANDOM = np.random.default_rng(0)


def grey(dtype: type = np.uint8) -> np.ndarray:
    return RANDOM.integers(0, np.iinfo(dtype).max, (1, 8, 8), dtype=dtype, endpoint=True)


def test_mixed_pictures_keep_their_values(tmp_path: Path) -> None:
    colour = RANDOM.integers(0, 256, (3, 8, 8), dtype=np.uint8)
    pictures = [*(grey() for _ in range(70)), colour, grey(), grey(np.uint16), colour]
    writer = CacheWriter(tmp_path, 8)
    rows = [writer.append(picture) for picture in pictures]
    writer.finish()
    hashes = [pixels_sha256(picture) for picture in pictures]
    cache = PixelCache(tmp_path)
    assert rows == list(range(len(pictures)))
    assert (len(cache), cache.channels, cache.size_px, cache.scale) == (74, 3, 8, 1 / 65535)
    stored = cache.read(np.arange(len(pictures)))
    assert stored.dtype == np.uint16
    for picture, kept in zip(pictures, stored, strict=True):
        most = np.iinfo(picture.dtype).max
        expected = np.broadcast_to(picture / most, kept.shape)
        np.testing.assert_allclose(kept * cache.scale, expected, atol=1e-7)
    assert hashes == [pixels_sha256(kept) for kept in stored]  # however wide
    assert len(set(hashes)) == 73  # the colour picture was appended twice


def test_bytes_stay_bytes_and_reads_are_copies(tmp_path: Path) -> None:
    writer = CacheWriter(tmp_path, 8)
    pictures = [grey() for _ in range(5)]
    for picture in pictures:
        writer.append(picture)
    writer.finish()
    cache = PixelCache(tmp_path)
    read = cache.read(np.array([4, 0]))
    assert read.dtype == np.uint8
    assert np.array_equal(read, np.stack([pictures[4], pictures[0]]))
    read[:] = 0
    assert cache.read(np.array([4])).any()


def test_verify_names_what_changed(tmp_path: Path) -> None:
    writer = CacheWriter(tmp_path, 8)
    pictures = [grey() for _ in range(3)]
    for picture in pictures:
        writer.append(picture)
    writer.finish()
    images = pd.DataFrame({"image": ["a", "b", "c"], "row": [0, 1, 2]})
    images["pixels_sha256"] = [pixels_sha256(picture) for picture in pictures]
    PixelCache(tmp_path).verify(images)
    with (tmp_path / "pixels.npy").open("r+b") as opened:
        opened.seek(-1, 2)
        last = opened.read(1)
        opened.seek(-1, 2)
        opened.write(bytes([last[0] ^ 1]))
    with pytest.raises(DataError, match=r"I09.*\(c\)"):
        PixelCache(tmp_path).verify(images)


def test_missing_and_cut_caches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="I08"):
        PixelCache(tmp_path)
    writer = CacheWriter(tmp_path, 8)
    writer.append(grey())
    writer.finish()
    path = tmp_path / "pixels.npy"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="I08"):
        PixelCache(tmp_path)
