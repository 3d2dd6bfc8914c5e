"""A data set of the grid: named by content, divided once, its test images kept apart.

Image ids of an import are keyed with the secret of its workspace; here they are replaced by hashes
of the content, so that every computer divides a set alike and rows from several fit together.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from core.config import DataSettings, PixelSettings, SplitSettings
from core.data.cache import PixelCache
from core.data.checks import overlap
from core.data.manifest import Dataset
from core.data.scan import import_dataset
from core.data.split import check_split, split_images
from core.errors import ConfigError
from core.files import sha256_json
from core.teachers.catalogue import card_hashes
from core.teachers.spec import TeacherSpec
from core.types import Reporter, SplitName

DIGITS = 16


@dataclass(frozen=True)
class GridSet:
    """A divided data set.

    Attributes:
        name: As rows call it.
        labelled: Its training and validation images; no test image is among them.
        test: Rows of the test images, in the order of their ids.
        cache: The pixels of all.
    """

    name: str
    labelled: Dataset
    test: pd.DataFrame
    cache: PixelCache

    @property
    def sha256(self) -> str:
        """Hash of images, labels and division, whatever the size of the kept pictures."""
        rows = pd.concat([self.labelled.images, self.test])[["image", "sha256", "split", "group"]]
        return sha256_json([rows.to_numpy().tolist(), list(self.labelled.classes)])

    def part(self, fraction: float, seed: int) -> Dataset:
        """The share of the training and validation images that a run may use."""
        frames = [
            draw_groups(self.labelled.part(split), fraction, f"{seed}/{split.value}")
            for split in (SplitName.TRAIN, SplitName.VALIDATION)
        ]
        return self.labelled.with_images(pd.concat(frames))

    def facts(self) -> dict[str, object]:
        """What statistics need besides the runs: classes, targets and clusters of the test set."""
        clusters = np.unique(self.test["group"].to_numpy(), return_inverse=True)[1]
        return {
            "set": self.name,
            "data_sha256": self.sha256,
            "classes": list(self.labelled.classes),
            "images": len(self.labelled.images) + len(self.test),
            "test_images": self.test["image"].tolist(),
            "test_targets": self.labelled.targets(self.test).tolist(),
            "test_clusters": clusters.tolist(),
        }


def load_set(
    folder: Path, name: str, size_px: int, teacher: TeacherSpec, workspace: Path, reporter: Reporter
) -> GridSet:
    """Import and divide a folder.

    Args:
        folder: Labelled images.
        name: What rows call it.
        size_px: Side of the kept pictures.
        teacher: It must not have seen them.
        workspace: Where the import is kept.
        reporter: Told of progress.

    Raises:
        ConfigError: C22, some of the images stand in the teacher's card.
    """
    settings = DataSettings(source=str(folder), pixels=PixelSettings(size_px=size_px))
    dataset = import_dataset(settings, workspace, reporter)
    found = overlap(dataset.usable(), *card_hashes(teacher))
    if found.images or found.near:
        raise ConfigError(
            "C22",
            f"{found.images + found.near} images of the set stand in the teacher's card or look "
            "like one that does; figures with this teacher would mean nothing",
            item=name,
            todo="Measure on images that the teacher has not seen.",
        )
    named = name_by_content(dataset.images)
    images = split_images(named, dataset.task, SplitSettings(origin="new")).applied(named)
    check_split(images)
    images = images[images["code"] == ""].sort_values("image").reset_index(drop=True)
    sealed = images["split"] == SplitName.TEST.value
    labelled = dataset.with_images(images[~sealed])
    return GridSet(name, labelled, images[sealed], PixelCache(dataset.folder))


def draw_groups(frame: pd.DataFrame, fraction: float, seed: str) -> pd.DataFrame:
    """A share of the images of each class, no group divided; of each class at least one group.

    Args:
        frame: Rows of the manifest with `group` and `labels`.
        fraction: Share of the images, in (0, 1]; a group that would exceed it is passed over.
        seed: Equal seeds draw equal groups.
    """
    if fraction == 1.0:
        return frame
    labels = frame["labels"].map(lambda names: ";".join(sorted(names)))
    home = labels.groupby(frame["group"]).agg(lambda names: names.mode().min())
    sizes = frame.groupby("group").size()
    kept: list[str] = []
    for _, members in sorted(home.groupby(home)):
        groups = sorted(members.index, key=lambda group: sha256_json([seed, group]))
        room = max(1, round(fraction * int(sizes[groups].sum())))
        chosen = []
        for group in groups:
            if sizes[group] <= room:
                chosen.append(group)
                room -= int(sizes[group])
        kept += chosen or groups[:1]
    return frame[frame["group"].isin(kept)]


def name_by_content(images: pd.DataFrame) -> pd.DataFrame:
    """The manifest with ids that every computer gives alike.

    An image is called by the hash of its file, frame and labels (of equal ones, which are
    interchangeable, also by a count), a patient by the first of his images.
    """
    facts = zip(images["sha256"], images["frame"], images["labels"], strict=True)
    texts = pd.Series([sha256_json([*map(str, front), sorted(names)]) for *front, names in facts])
    count = texts.groupby(texts).cumcount()
    ids = [sha256_json([text, int(copy)])[:DIGITS] for text, copy in zip(texts, count, strict=True)]
    renamed = images.assign(image=ids)
    return renamed.assign(patient=renamed.groupby("patient")["image"].transform("min"))
