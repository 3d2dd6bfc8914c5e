"""Perceptual hashes, near-duplicates, conflicts, overlap with a teacher."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from core.data.checks import identical_images, join, label_conflicts, overlap
from core.data.hashes import perceptual_hash
from core.data.manifest import manifest_table
from tests.near import near_duplicates


def scene(seed: int, size: int = 96) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((size, size))
    field = ndimage.gaussian_filter(noise, 5, mode="wrap")
    return np.asarray((field - field.min()) / np.ptp(field) * 255, dtype=np.uint8)


def bits(first: str, second: str) -> int:
    return (int(first, 16) ^ int(second, 16)).bit_count()


def test_the_hash_ignores_tone_and_size_but_not_content() -> None:
    picture = scene(0)
    own = perceptual_hash(picture[None])
    half = np.asarray(Image.fromarray(picture).resize((48, 48), Image.Resampling.BILINEAR))
    assert len(own) == 64
    assert bits(own, perceptual_hash(picture // 2 + 30)) <= 8
    assert bits(own, perceptual_hash(half)) <= 12
    assert bits(own, perceptual_hash(picture.astype(np.float32) / 255)) == 0
    assert bits(own, perceptual_hash(np.repeat(picture[None].astype(np.uint16) * 257, 3, 0))) == 0
    assert bits(own, perceptual_hash(scene(1))) > 60


def test_a_flat_picture_matches_nothing() -> None:
    flat = perceptual_hash(np.full((1, 50, 40), 77, dtype=np.uint8))
    assert flat == "0" * 64
    assert near_duplicates([flat, flat, "", ""]) == []


def test_identical_and_contradicting_images() -> None:
    rows = [
        {"image": "a", "sha256": "1", "pixels_sha256": "x", "labels": ["p"]},
        {"image": "b", "sha256": "2", "pixels_sha256": "x", "labels": ["p"]},
        {"image": "c", "sha256": "2", "pixels_sha256": "y", "labels": ["q"]},
        {"image": "d", "sha256": "4", "pixels_sha256": "z", "labels": ["p"]},
        {"image": "e", "sha256": "5", "pixels_sha256": "z", "labels": ["p"]},
    ]
    table = manifest_table(rows)
    assert identical_images(table) == [[0, 1, 2], [3, 4]]
    assert label_conflicts(table) == [[0, 1, 2]]
    assert join(4, [(3, 1), (1, 2)]) == [0, 1, 1, 1]


def test_overlap_with_a_card() -> None:
    hashes = [perceptual_hash(scene(seed)) for seed in range(6)]
    table = manifest_table(
        {"image": str(place), "sha256": f"s{place}", "phash": text}
        for place, text in enumerate(hashes)
    )
    near = perceptual_hash(np.clip(scene(1) * 0.9 + 5, 0, 255))
    found = overlap(table, {"s0", "other"}, [hashes[0], near])
    assert (found.images, found.near) == (1, 1)
    assert "too good" in found.sentence
    assert overlap(table, {"other"}, [perceptual_hash(scene(50))]).sentence.startswith(
        "None of the 6"
    )
    assert "cannot be ruled out" in overlap(table, set(), []).sentence
