"""What a teacher has learned: its linear probe against the same network with random weights.

Out-of-fold probabilities over five folds in which no patient and no cluster of near-duplicates is
divided; the difference of the AUROCs is paired over the same groups. Run it on data the teacher has
never seen; the result says whether that holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.table import Table

from core.benchmarks.base import BENCHMARKS
from core.config import (
    DataSettings,
    EvaluationSettings,
    PixelSettings,
    SplitSettings,
    TeacherSettings,
)
from core.data.cache import PixelCache
from core.data.checks import overlap
from core.data.scan import import_dataset
from core.data.split import split_images
from core.errors import ConfigError
from core.evaluation.comparison import difference
from core.evaluation.figures import auroc_figures
from core.files import workspace_folder
from core.teachers.base import Teacher, build_network
from core.teachers.catalogue import card_hashes, find_teacher
from core.teachers.checkpoint import load_teacher
from core.teachers.out_of_fold import probe_scores
from core.teachers.pooled import pooled_features
from core.teachers.spec import TeacherSpec
from core.types import Reporter

CHUNK = 256  # images between two reports of progress


class TeacherWorth:
    """AUROC of the probe, of the random network's probe, and their paired difference."""

    def measure(
        self, reporter: Reporter, folders: Sequence[Path], *, scale: bool = False
    ) -> dict[str, Any]:
        """Measure the default teacher on each folder of labelled images.

        Returns:
            ``teacher`` and, for each folder (numbered: names of folders may identify), ``images``,
            ``groups``, ``overlap`` with the teacher's own data, the figures ``trained`` and
            ``random``, and ``difference``.

        Raises:
            ConfigError: No folder was named (C21).
        """
        if not folders:
            raise ConfigError("C21", "This benchmark needs folders of labelled images")
        spec = find_teacher(TeacherSettings().name)
        trained = load_teacher(spec, workspace_folder() / "teachers")
        torch.manual_seed(0)
        untrained = Teacher(spec, build_network(spec))
        results = [self._folder(folder, spec, trained, untrained, reporter) for folder in folders]
        return {"benchmark": "teacher", "teacher": spec.title, "sets": results}

    def table(self, result: dict[str, Any]) -> Table:
        """One line for each folder."""
        shown = Table(
            "set", "images", "groups", "trained AUROC", "random AUROC", "difference", "overlap",
            title=f"Linear probe of {result['teacher']}", box=None, header_style="dim",
        )  # fmt: skip
        for number, found in enumerate(result["sets"], start=1):
            figures = [_words(found[name]) for name in ("trained", "random", "difference")]
            counts = [str(found["images"]), str(found["groups"])]
            shown.add_row(str(number), *counts, *figures, str(sum(found["overlap"])))
        return shown

    def _folder(
        self,
        folder: Path,
        spec: TeacherSpec,
        trained: Teacher,
        untrained: Teacher,
        reporter: Reporter,
    ) -> dict[str, Any]:
        pixels = PixelSettings(size_px=spec.image_px)
        settings = DataSettings(source=str(folder), pixels=pixels)
        dataset = import_dataset(settings, workspace_folder(), reporter)
        split = split_images(dataset.images, dataset.task, SplitSettings())
        frame = dataset.with_images(split.applied(dataset.images)).usable()
        groups, targets = frame["group"].to_numpy(), dataset.targets(frame)
        rows, cache = frame["row"].to_numpy(), PixelCache(dataset.folder)
        common = (groups, dataset.classes, dataset.task)
        scores = []
        for name, teacher in (("the teacher", trained), ("the random network", untrained)):
            reporter.phase("bench", f"Probing {name}")
            features = _features(teacher, cache, rows, reporter)
            classes = len(dataset.classes)
            scores.append(probe_scores(features, targets, groups, classes, dataset.task))
        known = overlap(frame, *card_hashes(spec))
        figures = [
            auroc_figures(targets, found, *common, EvaluationSettings(), 0)["auroc"]
            for found in scores
        ]
        gain = difference(targets, scores[0], scores[1], *common, EvaluationSettings(), 0)
        return {
            "images": len(frame),
            "groups": len(np.unique(groups)),
            "overlap": [known.images, known.near],
            "trained": asdict(figures[0]),
            "random": asdict(figures[1]),
            "difference": asdict(gain),
        }


BENCHMARKS.register("teacher", __name__)(TeacherWorth())


def _features(
    teacher: Teacher, cache: PixelCache, rows: np.ndarray, reporter: Reporter
) -> np.ndarray:
    found = []
    for start in range(0, len(rows), CHUNK):
        found.append(pooled_features(teacher, cache, rows[start : start + CHUNK]))
        reporter.progress(min(start + CHUNK, len(rows)), len(rows))
    return np.concatenate(found)


def _words(figure: dict[str, Any]) -> str:
    if figure["value"] is None or figure["low"] is None:
        return str(figure["note"])
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
