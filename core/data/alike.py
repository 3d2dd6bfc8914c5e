"""Copies and look-alikes of a data set, counted and listed for the import report.

Perceptual hashes find the candidates; the correlation of their 24 x 24 thumbnails (area averages)
grades them. On BUSI (780 images) 103 pairs lie above `SAME`, 104 when every pair of the source
files is compared; below are 63 more that show the same scan at another moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from core.data.cache import PixelCache
from core.data.checks import identical_images
from core.data.near import near_blocks
from core.data.picture import Array

SAME = 0.995  # correlation of thumbnails from which two pictures are called nearly identical
THUMB_PX = 24
GRADED = 10_000  # pairs; more are counted but not compared
LISTED = 200


@dataclass(frozen=True)
class Pair:
    """Two pictures of different patients that look the same.

    Attributes:
        images: Their ids.
        correlation: Of their thumbnails, in [-1, 1].
        same_label: Whether they carry the same labels.
    """

    images: tuple[str, str]
    correlation: float
    same_label: bool


def copies(images: pd.DataFrame) -> dict[str, Any]:
    """Groups of equal files or equal pixels among usable and contradictory (L07) rows.

    Returns:
        ``groups``, ``images`` in them, how many groups are under several labels
        (``contradictory``) and how many of several patients (``patients``), and a ``list`` of the
        first.
    """
    rows = images[images["code"].isin(["", "L07"])].reset_index(drop=True)
    groups = identical_images(rows)
    labels = _labels(rows)
    patients = rows["patient"].tolist()
    told: list[dict[str, Any]] = [
        {
            "images": [str(name) for name in rows["image"].iloc[group]],
            "labels": sorted({labels[place] for place in group}),
            "patients": len({patients[place] for place in group}),
        }
        for group in groups
    ]
    told.sort(key=lambda each: (len(each["labels"]) < 2, each["images"]))
    return {
        "groups": len(groups),
        "images": sum(map(len, groups)),
        "contradictory": sum(len(each["labels"]) > 1 for each in told),
        "patients": sum(each["patients"] > 1 for each in told),
        "list": told[:LISTED],
    }


def look_alikes(images: pd.DataFrame, cache: PixelCache) -> dict[str, Any]:
    """Pairs whose perceptual hashes are near, graded by their thumbnails.

    Pairs within one patient, such as neighbouring slices, harm nothing and are only counted.

    Returns:
        ``pairs`` in all, those ``within_patient``, the number ``graded`` of the others, of those
        the nearly ``identical``, of those how many ``across_labels``, and a ``list`` of the first,
        those across labels before the others.
    """
    rows = images[images["code"].isin(["", "L07"])].reset_index(drop=True)
    labels, patients = _labels(rows), pd.factorize(rows["patient"])[0]
    thumbs = _Thumbs(cache, rows)
    total, within, graded, found = 0, 0, 0, []
    for block in near_blocks(rows["phash"].tolist()):
        apart = block[patients[block[:, 0]] != patients[block[:, 1]]]
        total, within = total + len(block), within + len(block) - len(apart)
        for first, second in apart[: max(0, GRADED - graded)].tolist():
            graded += 1
            correlation = thumbs.correlation(first, second)
            if correlation > SAME:
                one, other = sorted((str(rows["image"][first]), str(rows["image"][second])))
                same = labels[first] == labels[second]
                found.append(Pair((one, other), round(correlation, 4), same))
    found.sort(key=lambda pair: (pair.same_label, pair.images))
    return {
        "pairs": total,
        "within_patient": within,
        "graded": graded,
        "identical": len(found),
        "across_labels": sum(not pair.same_label for pair in found),
        "list": [vars(pair) | {"images": list(pair.images)} for pair in found[:LISTED]],
    }


def _labels(rows: pd.DataFrame) -> list[str]:
    return [", ".join(sorted(names)) for names in rows["labels"]]


class _Thumbs:
    """Thumbnails of pictures, made when first asked for."""

    def __init__(self, cache: PixelCache, rows: pd.DataFrame) -> None:
        self._cache = cache
        self._rows: Sequence[int] = rows["row"].tolist()
        self._hashes: Sequence[str] = rows["pixels_sha256"].tolist()
        self._made: dict[int, Array | None] = {}

    def correlation(self, first: int, second: int) -> float:
        """Of two thumbnails; 1 for equal pixels, 0 where a picture is not in the cache."""
        if self._hashes[first] and self._hashes[first] == self._hashes[second]:
            return 1.0
        one, other = self._thumb(first), self._thumb(second)
        return 0.0 if one is None or other is None else float(one @ other)

    def _thumb(self, place: int) -> Array | None:
        """Of unit length and without its mean; None where the picture is not in the cache."""
        if place not in self._made:
            row = self._rows[place]
            self._made[place] = None if row < 0 else self._normal(row)
        return self._made[place]

    def _normal(self, row: int) -> Array:
        grey = self._cache.read(np.array([row]))[0].mean(axis=0, dtype=np.float32)
        size = (THUMB_PX, THUMB_PX)
        small = Image.fromarray(grey).resize(size, Image.Resampling.BOX)
        values = np.asarray(small, dtype=np.float64).ravel()
        values -= values.mean()
        return np.asarray(values / max(1e-9, float(np.linalg.norm(values))))
