"""One run of the grid: train by one method from one seed, or fit the probe, and score."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from core.benchmarks.grid.plan import (
    AGAIN_SEEDS,
    ONLINE,
    REFERENCES,
    TEST_SEEDS,
    TUNING_SEEDS,
    Run,
)
from core.benchmarks.grid.rows import Row, pack
from core.benchmarks.grid.sets import GridSet
from core.data.augment import clean_view
from core.data.manifest import Dataset
from core.evaluation.metrics import Floats
from core.evaluation.seeds import macro_auroc
from core.files import write_json
from core.machine import machine_name
from core.objectives.methods import find_method
from core.students.base import Student
from core.teachers.base import Teacher
from core.teachers.features import OnlineFeatures
from core.teachers.pooled import pooled_features
from core.teachers.precision import choose_precision
from core.training.session import Places, Session, fit_session_probe, prepare
from core.types import Reporter, SilentReporter, SplitName

BATCH = 64
PACKAGES = ("torch", "timm", "numpy")
Scores = Callable[[pd.DataFrame], Floats]


@dataclass(frozen=True)
class Bench:
    """What all runs on one data set share.

    Attributes:
        data: The set.
        teacher: Frozen.
        home: Folder for the teacher's features, shared by runs with equal images and seed.
    """

    data: GridSet
    teacher: Teacher
    home: Path

    def row(self, run: Run, reporter: Reporter) -> Row:
        """Do one run.

        Args:
            run: With one of `TEST_SEEDS` or `AGAIN_SEEDS` it reads the test images, once, at its
                end; with one of `TUNING_SEEDS` all validation images of the set, not only its
                share of them.
            reporter: Told of progress.

        Raises:
            TrainingError: T40, the loss did not stay a number.
        """
        started = time.perf_counter()
        dataset = self.data.part(run.cell.fraction, run.seed)
        parts = (SplitName.TRAIN, SplitName.VALIDATION)
        frames = {part.value: dataset.part(part) for part in parts}
        session = self._session(run, dataset)
        scores, facts = (
            self._probe(session) if run.method in REFERENCES else self._train(session, reporter)
        )
        row = {"row": "run", "key": run.key, **run.settings}
        row |= {f"{name}_images": len(frame) for name, frame in frames.items()} | facts
        row["validation_auroc"] = self._auroc(frames["validation"], scores)
        if run.seed in TUNING_SEEDS:
            whole = self.data.labelled.part(SplitName.VALIDATION)
            row["whole_validation_auroc"] = self._auroc(whole, scores)
        if run.seed in {*TEST_SEEDS, *AGAIN_SEEDS}:
            tested = scores(self.data.test)
            targets = self.data.labelled.targets(self.data.test)
            row |= {"test_auroc": _round(macro_auroc(targets, tested)), "test": pack(tested)}
        return row | {
            "config_sha256": session.config.sha256,
            "machine": machine_name(),
            "versions": {name: version(name) for name in PACKAGES},
            "seconds": round(time.perf_counter() - started, 1),
        }

    def _session(self, run: Run, dataset: Dataset) -> Session:
        config = run.config(len(dataset.part(SplitName.TRAIN)))
        online = run.cell.views == ONLINE
        adapted = "adapted-" if find_method(config.method.name).adapts else ""
        home = self.home / ("online" if online else "stored")
        places = Places(
            features=home / "features",
            checkpoints=home / "checkpoints",
            device=home / "device.json",
            views=home / f"views-{run.cell.views}.json",
            probe=home / f"{adapted}probe-{run.cell.views}.safetensors",
            adapter=home / "adapter.safetensors",
        )
        precision = choose_precision(self.teacher, config.device.precision)
        if online:
            write_json(places.views, {"views": 0, "precision": precision})
        session = prepare(config, dataset, self.data.cache, self.teacher, places, SilentReporter())
        if not online or session.request is None or session.teacher is None:
            return session
        request = replace(session.request, views=config.train.epochs)
        features = OnlineFeatures(session.teacher, self.data.cache, request, precision)
        return replace(session, request=request, features=features)

    def _train(self, session: Session, reporter: Reporter) -> tuple[Scores, Row]:
        """Every step of the schedule; no early stop, no choice among epochs, no checkpoints."""
        trainer, chosen = session.trainer(SilentReporter())
        trainer.wrapped.train()
        step, started = 0, time.perf_counter()
        while step < trainer.job.steps:
            step = trainer.step(step)
            reporter.progress(step, trainer.job.steps)
        spent = time.perf_counter() - started
        found = trainer.job.validation.measure(trainer.model, trainer.fabric.device)
        facts = {
            "trained_steps": step,
            "train_seconds": round(spent, 1),
            "device": vars(chosen),
            "validation_loss": _round(found.loss),
            "cka_reprogrammed": _round(found.cka_reprogrammed),
            "cka_teacher": _round(found.cka_teacher),
        }
        return self._student_scores(session.student, session.config.student.image_px), facts

    def _probe(self, session: Session) -> tuple[Scores, Row]:
        probe, teacher = fit_session_probe(session), session.teacher or self.teacher

        def score(frame: pd.DataFrame) -> Floats:
            rows = frame["row"].to_numpy()
            found: Floats = probe.probabilities(pooled_features(teacher, self.data.cache, rows))
            return found

        return score, {"cross_validated": _round(probe.cross_validated)}

    def _student_scores(self, student: Student, image_px: int) -> Scores:
        student = student.cpu().float().eval()

        @torch.no_grad()
        def score(frame: pd.DataFrame) -> Floats:
            rows = frame["row"].to_numpy()
            found = [
                student(clean_view(self.data.cache.images(part), image_px)).softmax(dim=1).numpy()
                for part in np.split(rows, range(BATCH, len(rows), BATCH))
            ]
            return np.concatenate(found).astype(np.float64)

        return score

    def _auroc(self, frame: pd.DataFrame, scores: Scores) -> float | None:
        return _round(macro_auroc(self.data.labelled.targets(frame), scores(frame)))


def _round(value: float | None) -> float | None:
    """Six digits; nothing where there is no figure."""
    return None if value is None or not np.isfinite(value) else round(float(value), 6)
