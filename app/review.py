"""A run's validation split, image by image, from what the run left on disk. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from app.text import test as text
from core.data.manifest import Dataset, open_dataset
from core.errors import RunError
from core.evaluation.metrics import auroc, predicted_classes, roc_curve
from core.evaluation.threshold import positives
from core.files import read_json
from core.runs.layout import RunFolder
from core.types import SplitName, Task

EVEN = 0.5  # the teacher has no threshold of its own


def review(run: RunFolder) -> dict[str, Any]:
    """Everything the page shows of validation.

    Returns:
        ``figures`` (``report/validation.json``), ``dataset`` (for thumbnails), ``teacher`` (the
        teacher's curves, or None) and ``images``: lists of equal length, one entry per image:
        ``image`` and ``row``, ``truth`` (places of its classes), ``student`` and ``teacher``
        (probabilities; None without a teacher), ``said`` (the student's classes or findings),
        ``taught`` (the teacher's), and ``sure``, ``[N][K]``, how far in [0, 1] the student's word
        lies from its threshold: one figure per image, or one per finding.

    Raises:
        RunError: R67, the run has no figures.
        DataError: I07, its tables are damaged.
    """
    figures, table = _read(run, SplitName.VALIDATION)
    dataset = open_dataset(run.path, run.path.parent.parent)
    part = dataset.part(SplitName.VALIDATION).set_index("image")
    part = part.loc[part.index.intersection(pd.Index(table["image"]))]
    table = table.set_index("image").loc[part.index]
    student = _columns(table, "p_", dataset)
    assert student is not None
    teacher = _columns(table, "teacher_", dataset)
    targets = dataset.targets(part)
    images = _listed(dataset, figures["thresholds"], targets, student, teacher)
    images |= {"image": list(part.index), "row": [int(row) for row in part["row"]]}
    curves = None if teacher is None else _curves(dataset, figures, targets, teacher)
    return {"figures": figures, "dataset": dataset.id, "teacher": curves, "images": images}


def figures_of(run: RunFolder, split: SplitName) -> dict[str, Any] | None:
    """``report/<split>.json``; None where there is none."""
    file = run.report / f"{split.value}.json"
    try:
        found: dict[str, Any] = read_json(file)
    except (OSError, ValueError):
        return None
    return found


def split_counts(run: RunFolder) -> dict[str, int]:
    """Images and patients of the test split; nothing else of it is read."""
    table = pd.read_parquet(run.manifest, columns=["split", "code", "group"])
    test = table[(table["split"] == SplitName.TEST.value) & (table["code"] == "")]
    return {"images": len(test), "patients": int(test["group"].nunique())}


def _read(run: RunFolder, split: SplitName) -> tuple[dict[str, Any], pd.DataFrame]:
    figures = figures_of(run, split)
    file = run.report / f"{split.value}.parquet"
    if figures is None or not Path(file).is_file():
        raise RunError("R67", text.NO_VALIDATION, item=run.id, todo=text.NO_VALIDATION_TODO)
    return figures, pd.read_parquet(file)


def _columns(table: pd.DataFrame, start: str, dataset: Dataset) -> np.ndarray | None:
    names = [f"{start}{name}" for name in dataset.classes]
    if not set(names) <= set(table.columns):
        return None
    return table[names].to_numpy(np.float64)


def _listed(
    dataset: Dataset,
    thresholds: dict[str, float],
    targets: np.ndarray,
    student: np.ndarray,
    teacher: np.ndarray | None,
) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "student": student.round(6).tolist(),
        "teacher": None if teacher is None else teacher.round(6).tolist(),
        "taught": None,
    }
    if dataset.task is Task.MULTICLASS:
        said = predicted_classes(student, dataset.classes, thresholds)
        facts["truth"] = [[int(place)] for place in targets]
        facts["said"] = [[int(place)] for place in said]
        facts["sure"] = _sure_of_class(student, said, dataset, thresholds)[:, None].tolist()
        if teacher is not None:
            facts["taught"] = [[int(place)] for place in teacher.argmax(axis=1)]
        return facts
    limits = np.array([thresholds.get(name, EVEN) for name in dataset.classes])
    facts["truth"] = _places(targets > 0)
    facts["said"] = _places(student >= limits)
    facts["sure"] = _distance(student, limits).tolist()
    if teacher is not None:
        facts["taught"] = _places(teacher >= EVEN)
    return facts


def _sure_of_class(
    student: np.ndarray, said: np.ndarray, dataset: Dataset, thresholds: dict[str, float]
) -> np.ndarray:
    if len(dataset.classes) == 2 and len(thresholds) == 1:
        ((name, limit),) = thresholds.items()
        return _distance(student[:, dataset.classes.index(name)], np.array(limit))
    ranked = np.sort(student, axis=1)
    return (ranked[:, -1] - ranked[:, -2]).round(6) if student.shape[1] > 1 else said * 0.0


def _distance(scores: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """How far scores lie from their threshold, as a share of the way to 0 or 1."""
    room = np.where(scores >= limits, 1 - limits, limits)
    return np.asarray((np.abs(scores - limits) / np.maximum(room, 1e-9)).round(6))


def _places(flags: np.ndarray) -> list[list[int]]:
    return [[int(place) for place in np.flatnonzero(row)] for row in flags]


def _curves(
    dataset: Dataset, figures: dict[str, Any], targets: np.ndarray, teacher: np.ndarray
) -> list[dict[str, Any]]:
    """The teacher's ROC for each class that the student has one for."""
    found = []
    for name in [curve["name"] for curve in figures["roc"]]:
        place = dataset.classes.index(name)
        has = positives(targets, place, dataset.task)
        curve = roc_curve(has, teacher[:, place])
        if curve is not None:
            found.append(
                {
                    "name": name,
                    "false_positive_rate": curve.false_positive_rate,
                    "sensitivity": curve.sensitivity,
                    "auroc": auroc(has, teacher[:, place]),
                }
            )
    return found
