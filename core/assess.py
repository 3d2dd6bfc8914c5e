"""What a trained student is worth: figures on validation, and on the sealed test set when opened.

Everything is computed from the exported student, the very file that is handed over. Nothing here
trains or chooses, but for the thresholds, which validation chooses and the test set never touches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from core.config import RunConfig, load_config
from core.data.cache import PixelCache
from core.data.manifest import Dataset, open_dataset
from core.errors import RunError
from core.evaluation.comparison import difference
from core.evaluation.figures import evaluate
from core.evaluation.report import write_report
from core.evaluation.threshold import choose_thresholds
from core.files import atomic_path, read_json, write_json
from core.inference.export import freeze_thresholds
from core.inference.predictor import Predictor
from core.runs.companion import STUDENT_ONLY, companion_file, find_companions
from core.runs.layout import RunFolder
from core.runs.lock import FileLock
from core.runs.seal import openings, record_opening
from core.runs.status import RunStatus, status
from core.teachers.lora import teacher_of_run
from core.teachers.pooled import pooled_features
from core.teachers.probe import LinearProbe
from core.types import Reporter, SplitName

BATCH = 64
REPORT_S = 120.0  # scoring the student-only run on an opened test set may take that long


def assess_validation(run: RunFolder, reporter: Reporter) -> dict[str, Any]:
    """Choose the thresholds on validation, freeze them, and write the figures.

    Returns:
        What stands in ``report/validation.json``.
    """
    return _assess(run, SplitName.VALIDATION, reporter)


def open_test(run: RunFolder, reporter: Reporter) -> dict[str, Any]:
    """Break the seal: score the test set with the frozen thresholds and record that it was opened.

    The opening is recorded before anything is computed. `write_companions` then scores the
    student-only run beside this one, which counts as the same opening.

    Returns:
        What stands in ``report/test.json``.

    Raises:
        RunError: The run has not been completed (R31).
    """
    if status(run) is not RunStatus.COMPLETED:
        raise RunError(
            "R31",
            "The test set is opened only for a completed run",
            item=run.id,
            todo="Resume the run, or wait until it is complete.",
        )
    dataset = open_dataset(run.path, run.path.parent.parent)
    PixelCache(dataset.folder).verify(dataset.part(SplitName.TEST))  # before the seal is broken
    record_opening(run)
    return _assess(run, SplitName.TEST, reporter)


def refresh_report(run: RunFolder, reporter: Reporter, newest: RunFolder | None = None) -> None:
    """Write a run's report anew, with the runs of other methods beside it.

    Args:
        run: A run that has been assessed.
        reporter: Told of progress.
        newest: One of those runs that is just about to be complete.
    """
    with FileLock(run.path / "report.lock").held(REPORT_S):  # two runs may end at the same time
        write_companions(run, reporter, newest)
        write_report(run, run.path.parent.parent)


def write_companions(run: RunFolder, reporter: Reporter, newest: RunFolder | None = None) -> None:
    """Put the runs with the same data, split, student and seed but another method beside `run`.

    Args:
        run: A run that has been assessed.
        reporter: Told of progress.
        newest: See `refresh_report`.
    """
    found = find_companions(run)
    if newest is not None:
        found[load_config(newest.config).method.name] = newest
    for method, other in found.items():
        _write_companion(run, method, other, reporter)


def _write_companion(run: RunFolder, method: str, other: RunFolder, reporter: Reporter) -> None:
    """One run beside `run`, with the paired difference.

    On the test set only where that of `run` has been opened, which then scores the student-only
    run as well; a run of a further method has to have been opened itself.
    """
    facts: dict[str, Any] = {"run": other.id, "difference": {}, "test": None}
    for split in (SplitName.VALIDATION, SplitName.TEST):
        name = split.value
        if not (run.report / f"{name}.json").exists():
            continue
        if not (other.report / f"{name}.json").exists():
            if split is SplitName.TEST and method != STUDENT_ONLY:
                continue
            _assess(other, split, reporter)
        facts[name] = read_json(other.report / f"{name}.json")
        facts["difference"][name] = _difference(run, other, split)
    facts["difference"].setdefault("test", None)
    write_json(companion_file(run, method), facts)


def _assess(run: RunFolder, split: SplitName, reporter: Reporter) -> dict[str, Any]:
    config = load_config(run.config)
    dataset = open_dataset(run.path, run.path.parent.parent)
    frame = dataset.part(split)
    cache = PixelCache(dataset.folder)
    cache.verify(frame)
    scores = _student_scores(run, cache, frame, reporter)
    targets = dataset.targets(frame)
    positive = config.evaluation.positive_class or None
    if split is SplitName.VALIDATION:
        thresholds = choose_thresholds(
            targets, scores, dataset.classes, dataset.task, positive=positive
        )
        freeze_thresholds(run.export, thresholds)
    else:
        thresholds = read_json(run.report / "validation.json")["thresholds"]
    figures = evaluate(
        targets,
        scores,
        frame["group"].to_numpy(),
        dataset.classes,
        dataset.task,
        thresholds,
        config.evaluation,
        config.split.seed,
        positive=positive,
    ).as_json()
    if split is SplitName.TEST:
        figures["opened"] = openings(run)
    teacher = _teacher_scores(run, config, dataset, cache, frame)
    _write_scores(run, split, dataset, frame, scores, teacher)
    write_json(run.report / f"{split.value}.json", figures)
    return figures


def _student_scores(
    run: RunFolder, cache: PixelCache, frame: pd.DataFrame, reporter: Reporter
) -> np.ndarray:
    """``[N, C]`` probabilities of the exported student."""
    predictor = Predictor.open(run.export)
    rows = frame["row"].to_numpy()
    scores = []
    for start in range(0, len(rows), BATCH):
        scores.append(predictor.probabilities(cache.images(rows[start : start + BATCH])))
        reporter.progress(min(start + BATCH, len(rows)), len(rows))
    return np.concatenate(scores)


def _teacher_scores(
    run: RunFolder, config: RunConfig, dataset: Dataset, cache: PixelCache, frame: pd.DataFrame
) -> np.ndarray | None:
    """``[N, C]`` probabilities of the frozen teacher with its linear probe, where there is one."""
    file = run.path / "probe.safetensors"
    if not file.exists():
        return None
    probe = LinearProbe.load(file, dataset.task)
    files = run.path.parent.parent / "teachers"
    teacher = teacher_of_run(config.teacher.name, files, run.adapter)
    return probe.probabilities(pooled_features(teacher, cache, frame["row"].to_numpy()))


def _difference(run: RunFolder, other: RunFolder, split: SplitName) -> dict[str, Any]:
    """AUROC of `run` minus that of `other`, paired over patients."""
    dataset = open_dataset(run.path, run.path.parent.parent)
    frame = dataset.part(split)
    tables = [
        pd.read_parquet(folder.report / f"{split.value}.parquet").set_index("image")
        for folder in (run, other)
    ]
    columns = [f"p_{name}" for name in dataset.classes]
    config = load_config(run.config)
    own, others = (table.loc[frame["image"], columns].to_numpy() for table in tables)
    figure = difference(
        dataset.targets(frame),
        own,
        others,
        frame["group"].to_numpy(),
        dataset.classes,
        dataset.task,
        config.evaluation,
        config.split.seed,
        positive=config.evaluation.positive_class or None,
    )
    return figure.as_json()


def _write_scores(
    run: RunFolder,
    split: SplitName,
    dataset: Dataset,
    frame: pd.DataFrame,
    scores: np.ndarray,
    teacher: np.ndarray | None,
) -> None:
    table = pd.DataFrame(
        {
            "image": frame["image"].to_numpy(),
            "patient": frame["patient"].to_numpy(),
            "target": ["; ".join(labels) for labels in frame["labels"]],
        }
    )
    for column, name in enumerate(dataset.classes):
        table[f"p_{name}"] = scores[:, column]
        if teacher is not None:
            table[f"teacher_{name}"] = teacher[:, column]
    with atomic_path(run.report / f"{split.value}.parquet", private=True) as temporary:
        table.to_parquet(temporary, index=False)
