"""Thumbnails: the pictures of the cache, and nothing else of the disk."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.thumbs import Thumbnails, to_image
from core.data.cache import CacheWriter
from core.errors import DataError

DATASET = "00112233aabbccdd"


def picture(
    thumbnails: Thumbnails, row: int, side_px: int = 64, dataset: str = DATASET
) -> np.ndarray:
    """A thumbnail as an array."""
    return np.asarray(Image.open(io.BytesIO(thumbnails.png(dataset, row, side_px))))


def write_cache(workspace: Path, *pictures: np.ndarray) -> None:
    """A data set of these pictures."""
    folder = workspace / "datasets" / DATASET
    folder.mkdir(parents=True, exist_ok=True)
    writer = CacheWriter(folder, pictures[0].shape[-1])
    for pixels in pictures:
        writer.append(pixels)
    writer.finish()


def test_grey_pictures_are_shown_as_they_are(workspace: Path) -> None:
    random = np.random.default_rng(0)
    first, second = random.integers(0, 256, (2, 1, 64, 64), dtype=np.uint8)
    write_cache(workspace, first, second)
    thumbnails = Thumbnails(workspace)
    assert np.array_equal(picture(thumbnails, 0), first[0])
    assert np.array_equal(picture(thumbnails, 1), second[0])


def test_sixteen_bits_keep_their_upper_half(workspace: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(1, 64, 64)
    write_cache(workspace, ramp)
    assert np.array_equal(picture(Thumbnails(workspace), 0), ramp[0] >> 8)


def test_colour_stays_colour() -> None:
    pixels = np.zeros((3, 8, 8), np.uint8)
    pixels[0] = 200
    assert to_image(pixels).getpixel((3, 3)) == (200, 0, 0)


def test_pictures_become_smaller_and_never_larger(workspace: Path) -> None:
    write_cache(workspace, np.full((1, 64, 64), 9, np.uint8))
    thumbnails = Thumbnails(workspace)
    assert picture(thumbnails, 0, 32).shape == (32, 32)
    assert picture(thumbnails, 0, 1024).shape == (64, 64)


def test_a_new_cache_in_the_same_place_is_seen(workspace: Path) -> None:
    write_cache(workspace, np.full((1, 64, 64), 9, np.uint8))
    thumbnails = Thumbnails(workspace)
    assert picture(thumbnails, 0)[0, 0] == 9
    (workspace / "datasets" / DATASET / "pixels.npy").unlink()
    write_cache(workspace, np.full((1, 64, 64), 77, np.uint8))
    assert picture(thumbnails, 0)[0, 0] == 77


@pytest.mark.parametrize("row", [-1, 1, 10**9])
def test_rows_that_are_not_there(workspace: Path, row: int) -> None:
    write_cache(workspace, np.zeros((1, 64, 64), np.uint8))
    with pytest.raises(DataError, match="I47"):
        Thumbnails(workspace).png(DATASET, row, 64)


@pytest.mark.parametrize("dataset", ["..", "../datasets/" + DATASET, "", "0" * 16, DATASET + "/"])
def test_no_other_file_of_the_disk(workspace: Path, dataset: str) -> None:
    write_cache(workspace, np.zeros((1, 64, 64), np.uint8))
    write_cache(workspace.parent, np.zeros((1, 64, 64), np.uint8))
    with pytest.raises(DataError, match="I47"):
        Thumbnails(workspace).png(dataset, 0, 64)
