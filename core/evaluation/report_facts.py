"""Everything the report needs, read from one run directory. What is missing is empty, not an error.

Paths, file names and patients' names are left behind here: `settings_rows` shows no path, and the
environment is taken by a list of known keys.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.config import EvaluationSettings, RunConfig, load_config
from core.errors import RunError
from core.evaluation.calibration import fit_temperature
from core.evaluation.comparison import difference
from core.evaluation.figures import evaluate
from core.files import read_json
from core.objectives.methods import METHODS
from core.runs.companion import STUDENT_ONLY, companion_file
from core.runs.events import Event, read_events
from core.runs.extend import Origin, read_origin
from core.runs.layout import RunFolder
from core.types import Task

Json = dict[str, Any]


@dataclass(frozen=True)
class Beside:
    """Another model on the same images: its AUROC, and the student's minus its own."""

    auroc: Json
    difference: Json


@dataclass(frozen=True)
class Facts:
    """What is known about one run.

    Attributes:
        run_id: Name of the run directory.
        config: The request.
        images: The manifest, one row per image found; empty when it was never written.
        dataset: Facts beside the manifest (classes, synthetic, patient sources ...).
        split: Hash, sentence and notes of the division.
        environment: Versions, machine, and the arithmetic that was chosen by measurement.
        events: Everything that happened, in order.
        teacher: Its card with overlap and probe; empty for methods without a teacher.
        student: Its cost card.
        validation: Figures on validation, or None.
        test: Figures on test, or None while it is sealed.
        companions: The runs of other methods beside this one, by method.
        parity: Agreement of the exported files, or None.
        openings: Every time the test set of this division was opened, in any run.
        teacher_beside: The linear-probed teacher on the student's images, by split, where its
            probabilities are known.
        temperature: Fitted on validation, or None.
        origin: Where the run began, if it extends another.
        alignment: CKA of teacher and student stage by stage; empty without a teacher.
    """

    run_id: str
    config: RunConfig
    images: pd.DataFrame
    dataset: Json
    split: Json
    environment: Json
    events: list[Event]
    teacher: Json
    student: Json
    validation: Json | None
    test: Json | None
    companions: dict[str, Json]
    parity: Json | None
    openings: list[Json]
    teacher_beside: dict[str, Beside]
    temperature: float | None
    origin: Origin | None = None
    alignment: Json = field(default_factory=dict)

    @property
    def classes(self) -> list[str]:
        """Names of the classes or findings."""
        known = self.dataset.get("classes") or (self.validation or {}).get("classes") or []
        return [str(each) for each in known]


def read_facts(run: RunFolder, workspace: Path) -> Facts:
    """Read a run directory.

    Args:
        run: The run.
        workspace: Holds ``test_openings.jsonl``, the openings of test sets over all runs.

    Raises:
        RunError: R40, there is no readable configuration, so this is no run directory.
    """
    if not run.config.is_file():
        raise RunError(
            "R40",
            "There is nothing to report: the run has no configuration",
            item=run.id,
            todo="Choose another run.",
        )
    config = load_config(run.config)
    images = _table(run.manifest)
    split = _json(run.path / "split.json")
    validation = _json(run.report / "validation.json") or None
    test = _json(run.report / "test.json") or None
    scores = {part: _table(run.report / f"{part}.parquet") for part in ("validation", "test")}
    compared = {}
    for part, figures in (("validation", validation), ("test", test)):
        if figures and (found := _against_teacher(scores[part], images, figures)):
            compared[part] = found
    return Facts(
        run_id=run.id,
        config=config,
        images=images,
        dataset=_json(run.path / "dataset.json"),
        split=split,
        environment={**_json(run.environment), **_computed(run)},
        events=read_events(run.events),
        teacher=_json(run.path / "teacher.json"),
        student=_json(run.path / "student.json"),
        validation=validation,
        test=test,
        companions=_companions(run),
        parity=_json(run.export / "parity.json") or None,
        openings=_openings(workspace / "test_openings.jsonl", split.get("sha256"), test, run.id),
        teacher_beside=compared,
        temperature=_temperature(scores["validation"], images, validation) if validation else None,
        origin=read_origin(run),
        alignment=_json(run.alignment),
    )


def _json(path: Path) -> Json:
    if not path.is_file():
        return {}
    try:
        found = read_json(path)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _computed(run: RunFolder) -> Json:
    """How student and teacher were computed; what is not known yet is absent."""
    student = _json(run.path / "device.json").get("chosen") or {}
    teacher = _json(run.path / "views.json").get("precision")
    found = {key: student.get(key) for key in ("precision", "threads")}
    return {k: v for k, v in (found | {"teacher_precision": teacher}).items() if v}


def _table(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path) if path.is_file() else pd.DataFrame()


def _companions(run: RunFolder) -> dict[str, Json]:
    """The yardstick first, then the methods in the order of their table."""
    names = sorted(METHODS, key=lambda name: name != STUDENT_ONLY)
    found = {name: _json(companion_file(run, name)) for name in names}
    return {name: facts for name, facts in found.items() if facts}


def _openings(path: Path, split: object, test: Json | None, run_id: str) -> list[Json]:
    """Openings by any run with this division, and those noted in the run itself, by time."""
    found: dict[tuple[str, str], Json] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and split and entry.get("split_sha256") == split:
            found[str(entry.get("ts")), str(entry.get("run"))] = entry
    for noted in (test or {}).get("opened", []):
        entry = noted if isinstance(noted, dict) else {"ts": noted}
        key = str(entry.get("ts")), str(entry.get("run") or run_id)
        found[key] = {"ts": key[0], "run": key[1]}
    return [found[key] for key in sorted(found)]


def _against_teacher(scores: pd.DataFrame, images: pd.DataFrame, figures: Json) -> Beside | None:
    """The linear-probed teacher on one split, and the student's difference from it."""
    classes = tuple(figures["classes"])
    columns = [f"{who}_{each}" for who in ("p", "teacher") for each in classes]
    if images.empty or not set(columns) <= set(scores.columns):
        return None
    task = Task(figures["task"])
    groups = images.drop_duplicates("image").set_index("image")["group"][scores["image"]]
    student, teacher = (
        scores[[f"{who}_{each}" for each in classes]].to_numpy(np.float64)
        for who in ("p", "teacher")
    )
    settings = EvaluationSettings(resamples=figures["resamples"], confidence=figures["confidence"])
    targets, keys = _targets(scores, images, classes, task), groups.to_numpy(str)
    seed, positive = figures["seed"], figures.get("positive")
    alone = evaluate(targets, teacher, keys, classes, task, {}, settings, seed, positive=positive)
    paired = difference(
        targets, student, teacher, keys, classes, task, settings, seed, positive=positive
    )
    return Beside(alone.figures["auroc"].as_json(), paired.as_json())


def _temperature(scores: pd.DataFrame, images: pd.DataFrame, figures: Json) -> float | None:
    classes = tuple(figures["classes"])
    if images.empty or not {f"p_{each}" for each in classes} <= set(scores.columns):
        return None
    task = Task(figures["task"])
    given = scores[[f"p_{each}" for each in classes]].to_numpy(np.float64)
    return fit_temperature(_targets(scores, images, classes, task), given, task)


def _targets(
    scores: pd.DataFrame, images: pd.DataFrame, classes: tuple[str, ...], task: Task
) -> Any:
    """[N] class indices, or [N, C] of 0 and 1, from the manifest's labels."""
    labels = images.drop_duplicates("image").set_index("image")["labels"][scores["image"]]
    found = np.array([[each in set(given) for each in classes] for given in labels])
    return found.argmax(axis=1) if task is Task.MULTICLASS else found.astype(np.float64)
