"""Pictures that are the same, within a data set or in a teacher's card."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from core.data.near import resembles


def identical_images(images: pd.DataFrame) -> list[list[int]]:
    """Groups of rows whose file and frame or whose decoded pixels are equal.

    Args:
        images: Usable rows of a manifest.

    Returns:
        Positions (not index labels) in `images`; every group has at least two.
    """
    pairs: list[tuple[int, int]] = []
    frames = zip(images["sha256"], images["frame"], strict=True)  # a file's frames share its hash
    files = [f"{text}#{frame}" if text else "" for text, frame in frames]
    for names in (files, images["pixels_sha256"]):
        first: dict[str, int] = {}
        for position, text in enumerate(names):
            if text:
                pairs.append((first.setdefault(text, position), position))
    groups: dict[int, list[int]] = {}
    for position, leader in enumerate(join(len(images), pairs)):
        groups.setdefault(leader, []).append(position)
    return [group for group in groups.values() if len(group) > 1]


def label_conflicts(images: pd.DataFrame) -> list[list[int]]:
    """Groups of `identical_images` that carry different labels."""
    labels = [tuple(sorted(names)) for names in images["labels"]]
    return [
        group
        for group in identical_images(images)
        if len({labels[position] for position in group}) > 1
    ]


def join(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Connected components (union-find): the smallest member of each place's component."""
    leader = list(range(count))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    for a, b in pairs:
        a, b = find(a), find(b)
        leader[max(a, b)] = min(a, b)
    return [find(place) for place in range(count)]


@dataclass(frozen=True)
class Overlap:
    """What a data set shares with the images a teacher was trained on.

    Attributes:
        images: Images whose file is byte for byte in the teacher's list.
        near: Further images that look the same as one in the list.
        sentence: Both in words.
    """

    images: int
    near: int
    sentence: str


def overlap(images: pd.DataFrame, sha256s: Collection[str], phashes: Sequence[str]) -> Overlap:
    """Compare a data set with a teacher's card.

    Args:
        images: Usable rows of a manifest.
        sha256s: Of the teacher's training files.
        phashes: Perceptual hashes of the same.
    """
    exact = images["sha256"].isin(set(sha256s)).to_numpy()
    near = resembles(images["phash"].tolist(), phashes) & ~exact
    counts = int(exact.sum()), int(near.sum())
    if not sha256s and not phashes:
        sentence = "The teacher's card lists no images, so an overlap cannot be ruled out."
    elif counts == (0, 0):
        sentence = f"None of the {len(images)} images is in the teacher's training data."
    else:
        sentence = (
            f"{counts[0]} of the {len(images)} images are in the teacher's training data and "
            f"{counts[1]} more look the same as one that is: results will be too good."
        )
    return Overlap(*counts, sentence)
