"""Is a teacher worth distilling? Every teacher at hand is probed on the user's training images.

Validation and test images stay out of it: choosing a teacher is a choice, and a choice is made on
training images here, each judged without its own patient.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.config import RunConfig
from core.data.cache import PixelCache
from core.data.checks import overlap
from core.data.manifest import Dataset
from core.errors import BedsideError, DataError
from core.evaluation.comparison import difference
from core.evaluation.figures import auroc_figures
from core.files import atomic_path, private_folder, write_json
from core.probes import (
    MOST_IMAGES,
    Probes,
    probe_key,
    probes_folder,
    read_probes,
    stamp,
)
from core.teachers.catalogue import card_hashes
from core.teachers.checkpoint import load_teacher
from core.teachers.out_of_fold import neighbour_scores, probe_scores
from core.teachers.pooled import kept_features
from core.teachers.projection import flat_map
from core.teachers.spec import TeacherSpec
from core.training.device import choose_accelerator
from core.types import Reporter, SplitName, Stopped

FEWEST_GROUPS = 4  # fewer patients cannot be divided into those who teach and those who ask
Facts = dict[str, Any]
Array = np.ndarray


def probe_teachers(
    dataset: Dataset,
    config: RunConfig,
    teachers: Mapping[str, TeacherSpec],
    workspace: Path,
    reporter: Reporter,
) -> Probes:
    """Probe the teachers that have not been probed on these images; one bad file costs one row.

    Args:
        dataset: With its split.
        config: The device, and how intervals are made.
        teachers: Those at hand: what a configuration calls it to the teacher.
        workspace: Where features and results are kept.
        reporter: A phase for each teacher, its progress in images; may ask to stop.

    Raises:
        DataError: I80, the training images are of too few patients or of one class.
        Stopped: The reporter asked to stop; what is done stays.
    """
    frame = dataset.part(SplitName.TRAIN)
    folder = probes_folder(workspace, dataset.sha256, frame["image"].tolist())
    cache = workspace / "teachers"
    probe = _Probe(dataset, _sample(dataset, frame), config, workspace, private_folder(folder))
    write_json(folder / "sample.json", probe.about(len(frame)))
    known = read_probes(folder, teachers, cache).teachers
    left = [spec for spec in teachers.values() if probe_key(spec) not in known]
    for number, spec in enumerate(left, start=1):
        reporter.phase("probe", f"{spec.title} ({number} of {len(left)})")
        try:
            facts = probe.of(spec, reporter)
        except BedsideError as error:
            named = {"code": error.code, "what": error.what, "item": error.item, "todo": error.todo}
            facts = {"problem": named}
        about = {"name": spec.name, "title": spec.title, "stamp": stamp(spec, cache)}
        write_json(folder / f"{probe_key(spec)}.json", about | facts)
    found = read_probes(folder, teachers, cache)
    write_json(folder / "ranking.json", probe.ranking(found))
    return read_probes(folder, teachers, cache)


@dataclass(frozen=True)
class _Probe:
    """The images, and what is done with each teacher.

    Attributes:
        frame: The images that are probed on.
        folder: Where the results are kept.
    """

    dataset: Dataset
    frame: pd.DataFrame
    config: RunConfig
    workspace: Path
    folder: Path

    @property
    def _groups(self) -> Array:
        return self.frame["group"].to_numpy()

    @property
    def _are_patients(self) -> bool:
        """Every image names its patient, and no two patients were joined by images alike."""
        guessed = self.frame["patient_source"].isin(["image", "study"]).any()
        return not guessed and self.frame["patient"].nunique() == self.frame["group"].nunique()

    def about(self, images: int) -> Facts:
        """``sample.json``: which images, of how many."""
        place = {name: index for index, name in enumerate(self.dataset.classes)}
        return {
            "dataset": self.dataset.id,
            "synthetic": self.dataset.synthetic,
            "classes": list(self.dataset.classes),
            "rows": self.frame["row"].tolist(),
            "labels": [[place[name] for name in labels] for labels in self.frame["labels"]],
            "groups": len(np.unique(self._groups)),
            "each": "patient" if self._are_patients else "group",
            "of": images,
        }

    def of(self, spec: TeacherSpec, reporter: Reporter) -> Facts:
        """Figures and map of one teacher; its probabilities are written beside them.

        Raises:
            ModelError: The teacher cannot be used.
            Stopped: The reporter asked to stop.
        """
        started = time.monotonic()
        teacher = load_teacher(spec, self.workspace / "teachers")
        teacher.to(choose_accelerator(self.config.device))
        features = kept_features(
            teacher, PixelCache(self.dataset.folder), self.frame, self.dataset.sha256,
            self.workspace / "features", reporter,
        )  # fmt: skip
        looked = time.monotonic()
        if reporter.stop_requested():
            raise Stopped
        targets, classes = self.dataset.targets(self.frame), len(self.dataset.classes)
        judged = (features, targets, self._groups, classes, self.dataset.task)
        linear, near = probe_scores(*judged), neighbour_scores(*judged)
        with atomic_path(self.folder / f"{probe_key(spec)}.npy") as temporary:
            temporary.write_bytes(linear.astype(np.float32).tobytes())
        known = overlap(self.frame, *card_hashes(spec))
        figures = {"linear": self._figures(linear), "neighbours": self._figures(near)}
        judged_at = time.monotonic()
        points = [[round(float(x), 2), round(float(y), 2)] for x, y in flat_map(features)]
        seconds = {
            "features": looked - started,
            "probe": judged_at - looked,
            "map": time.monotonic() - judged_at,
        }
        return figures | {"seconds": seconds, "seen": known.images + known.near, "points": points}

    def ranking(self, found: Probes) -> Facts:
        """``ranking.json``: the best linear probe, and how far the others are behind it."""
        probed = {
            key: facts["linear"]["auroc"]["value"]
            for key, facts in found.teachers.items()
            if "linear" in facts and facts["linear"]["auroc"]["value"] is not None
        }
        if not probed:
            return {"best": "", "behind": {}}
        best = max(probed, key=lambda key: (probed[key], key))
        others = [key for key in probed if key != best]
        return {"best": best, "behind": {key: self._behind(key, best) for key in others}}

    def _figures(self, scores: Array) -> Facts:
        found = auroc_figures(
            self.dataset.targets(self.frame), scores, self._groups, self.dataset.classes,
            self.dataset.task, self.config.evaluation, self.config.split.seed,
        )  # fmt: skip
        return {name: asdict(figure) for name, figure in found.items()}

    def _behind(self, key: str, best: str) -> Facts:
        figure = difference(
            self.dataset.targets(self.frame), self._scores(key), self._scores(best), self._groups,
            self.dataset.classes, self.dataset.task, self.config.evaluation,
            self.config.split.seed,
        )  # fmt: skip
        return asdict(figure)

    def _scores(self, key: str) -> Array:
        numbers = np.fromfile(self.folder / f"{key}.npy", np.float32)
        return numbers.reshape(len(self.frame), len(self.dataset.classes))


def _sample(dataset: Dataset, frame: pd.DataFrame) -> pd.DataFrame:
    """The images that are probed on: all, or `MOST_IMAGES` of as many patients as possible.

    Raises:
        DataError: I80.
    """
    order = np.random.default_rng(0).permutation(len(frame))
    turn = frame.iloc[order].groupby("group", sort=False).cumcount().to_numpy()
    drawn = order[np.argsort(turn, kind="stable")[:MOST_IMAGES]]  # a first image of each, a second
    sample = frame.iloc[np.sort(drawn)]
    targets = dataset.targets(sample)
    if sample["group"].nunique() < FEWEST_GROUPS or len(np.unique(targets, axis=0)) < 2:
        raise DataError(
            "I80",
            "The training images are of too few patients, or all of one class, to probe a teacher",
            todo="Choose images of more patients, or train without comparing the teachers.",
        )
    return sample
