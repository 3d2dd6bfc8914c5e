"""What a teacher has learned: its linear probe beside those of others and of random weights.

Out-of-fold probabilities over five folds in which no patient and no cluster of near-duplicates is
divided; the difference of the AUROCs is paired over the same groups. Run it on data the teacher has
never seen; the result says whether that holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
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
from core.teachers.catalogue import (
    card_hashes,
    find_teacher,
    list_teachers,
    teachers_at_hand,
)
from core.teachers.checkpoint import load_teacher
from core.teachers.out_of_fold import probe_scores
from core.teachers.pooled import pooled_features
from core.types import Reporter

CHUNK = 256  # images between two reports of progress


@dataclass(frozen=True)
class Candidate:
    """A teacher to be judged.

    Attributes:
        title: For people.
        teacher: The network.
        seen: Files and looks of what it was trained on.
    """

    title: str
    teacher: Teacher
    seen: tuple[list[str], list[str]]


class TeacherWorth:
    """AUROC of the probe of every teacher that ships or is kept here, and of random weights."""

    def measure(
        self, reporter: Reporter, folders: Sequence[Path], *, scale: bool = False
    ) -> dict[str, Any]:
        """Measure on each folder of labelled images.

        Returns:
            ``teacher``, the default one, and ``sets``: for each folder (numbered: names of folders
            may identify) ``images``, ``groups`` and ``teachers``, the default one first, each with
            ``title``, ``auroc``, ``overlap`` with its own data, and ``behind``: how far it is
            behind the default one (none for that itself).

        Raises:
            ConfigError: No folder was named (C21).
        """
        if not folders:
            raise ConfigError("C21", "This benchmark needs folders of labelled images")
        candidates = _candidates()
        sets = [_judge(folder, candidates, reporter) for folder in folders]
        return {"benchmark": "teacher", "teacher": candidates[0].title, "sets": sets}

    def table(self, result: dict[str, Any]) -> Table:
        """For each folder its teachers."""
        shown = Table(
            "set", "teacher", "AUROC of the probe", "behind the first", "images it has seen",
            title=f"Linear probes beside that of {result['teacher']}",
            box=None, header_style="dim",
        )  # fmt: skip
        for number, found in enumerate(result["sets"], start=1):
            shown.add_row(f"{number}: {found['images']} images, {found['groups']} groups")
            for line in found["teachers"]:
                behind = "" if line["behind"] is None else _words(line["behind"])
                seen = str(sum(line["overlap"]))
                shown.add_row("", line["title"], _words(line["auroc"]), behind, seen)
        return shown


def _candidates() -> list[Candidate]:
    """The default teacher, others that ship, those kept in the workspace, and random weights."""
    folder = workspace_folder() / "teachers"
    first = find_teacher(TeacherSettings().name)
    others = [spec for spec in list_teachers() if spec.source == "bundled" and spec != first]
    others += [
        spec
        for name, spec in teachers_at_hand(folder).here(folder).items()
        if spec.source == "file" and Path(name).parent == folder.resolve()
    ]
    found = [
        Candidate(spec.title, load_teacher(spec, folder), card_hashes(spec))
        for spec in (first, *others)
    ]
    torch.manual_seed(0)
    untrained = Teacher(first, build_network(first))
    return [*found, Candidate("random weights", untrained, ([], []))]


def _judge(folder: Path, candidates: Sequence[Candidate], reporter: Reporter) -> dict[str, Any]:
    side = max(candidate.teacher.spec.image_px for candidate in candidates)
    settings = DataSettings(source=str(folder), pixels=PixelSettings(size_px=side))
    dataset = import_dataset(settings, workspace_folder(), reporter)
    split = split_images(dataset.images, dataset.task, SplitSettings())
    frame = dataset.with_images(split.applied(dataset.images)).usable()
    groups, targets = frame["group"].to_numpy(), dataset.targets(frame)
    rows, cache = frame["row"].to_numpy(), PixelCache(dataset.folder)
    common = (groups, dataset.classes, dataset.task)
    scores: list[np.ndarray] = []
    lines = []
    for candidate in candidates:
        reporter.phase("bench", f"Probing {candidate.title}")
        features = _features(candidate.teacher, cache, rows, reporter)
        scores.append(probe_scores(features, targets, groups, len(dataset.classes), dataset.task))
        known = overlap(frame, *candidate.seen)
        figure = auroc_figures(targets, scores[-1], *common, EvaluationSettings(), 0)["auroc"]
        behind = None
        if len(scores) > 1:
            gain = difference(targets, scores[0], scores[-1], *common, EvaluationSettings(), 0)
            behind = asdict(gain)
        lines.append(
            {
                "title": candidate.title,
                "auroc": asdict(figure),
                "overlap": [known.images, known.near],
                "behind": behind,
            }
        )
    return {"images": len(frame), "groups": len(np.unique(groups)), "teachers": lines}


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
