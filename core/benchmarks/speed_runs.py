"""Whole runs, reckoned from three timed epochs and timed passes of the teacher."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from core.benchmarks.speed_pair import BATCH, EPOCHS, VIEWS, Bench
from core.benchmarks.speed_steps import Seconds, timed
from core.data.augment import apply_views, draw_views
from core.errors import TrainingError
from core.teachers.features import FeatureRequest, build_store
from core.teachers.precision import choose_precision
from core.training.loop import Trainer
from core.types import Reporter, SilentReporter, SplitName

TIMED_EPOCHS = 3
SAVES = 9  # of `EPOCHS` of three steps; four whole runs saved 7, 8, 9 and 13
PASSES = 2


@dataclass(frozen=True)
class TeacherPass:
    """What the teacher costs, in seconds.

    Attributes:
        bare: One pass over the training images, from views in memory to feature maps.
        stored: One view of the training images and the clean validation images, from the cache to
            the disk.
        images: Training images.
        clean: Validation images.
        chosen: Once for a store: which arithmetic is the faster.
    """

    bare: float
    stored: float
    images: int
    clean: int
    chosen: float

    def store(self, views: int) -> float:
        """Seconds to fill a store of that many views."""
        each = self.stored / (self.images + self.clean)
        return each * (views * self.images + self.clean) + self.chosen


def time_teacher(bench: Bench, student: str, reporter: Reporter) -> TeacherPass:
    """Time the teacher alone and the filling of a store, in turns."""
    reporter.phase("bench", "Timing the teacher")
    request = bench.session(student, "rd", 1, "rd").request
    if request is None:
        raise TrainingError("T06", "RD needs a teacher")
    request = replace(request, views=1, precision=bench.precision)
    chosen = timed(partial(choose_precision, bench.teacher, "auto"))
    pictures = bare_pictures(bench)
    bare, stored = [], []
    for turn in range(PASSES):
        bare.append(timed(partial(bare_pass, bench, pictures)))
        folder = bench.folder / f"pass-{turn}"
        stored.append(timed(partial(_fill, bench, request, folder)))
        reporter.progress(turn + 1, PASSES)
    return TeacherPass(
        statistics.median(bare), statistics.median(stored), len(request.train),
        len(request.validation), chosen,
    )  # fmt: skip


def bare_pictures(bench: Bench) -> list[torch.Tensor]:
    """A view of every training image at the teacher's size, in batches in memory."""
    frame = bench.dataset.part(SplitName.TRAIN)
    pictures = bench.cache.values(frame["row"].to_numpy())
    drawn = draw_views(0, frame["image"].tolist(), [0] * len(frame), "light")
    shown = apply_views(pictures, drawn, bench.teacher.spec.image_px)
    return list(torch.split(shown.to(bench.teacher.mean.device), BATCH))


def bare_pass(bench: Bench, pictures: list[torch.Tensor]) -> None:
    """The teacher on every batch, and nothing else."""
    for batch in pictures:
        bench.teacher(batch, bench.precision)


def time_epochs(trainers: dict[str, Trainer], reporter: Reporter) -> Seconds:
    """Seconds of the steps of whole epochs, of looking at the validation images, and of saving.

    The kinds take turns, epoch by epoch. The last two (``NAME/validate``, ``NAME/save``) are not
    timed for ``online``: a teacher in the loop need not look at validation images, so RD's count
    for it too.
    """
    seconds: Seconds = {}
    for epoch in range(TIMED_EPOCHS):
        for name, trainer in trainers.items():
            count = trainer.job.batches.steps_per_epoch
            first = epoch * count
            parts: dict[str, Callable[[], object]] = {name: partial(_steps, trainer, first, count)}
            if name != "online":
                validation, device = trainer.job.validation, trainer.fabric.device
                parts[f"{name}/validate"] = partial(validation.measure, trainer.model, device)
                parts[f"{name}/save"] = partial(trainer.save, first + count)
            for part, act in parts.items():
                seconds.setdefault(part, []).append(timed(act))
        reporter.progress(epoch + 1, TIMED_EPOCHS)
    return seconds


def reckon(seconds: Seconds, teacher: TeacherPass) -> dict[str, float]:
    """Seconds of a run with the store, of the ideal one, and of one with the teacher in the loop.

    The ideal is a run of the student alone and `VIEWS` passes of the bare teacher over the training
    images; that the store also holds the clean validation images counts against us.
    """
    median = {name: statistics.median(found) for name, found in seconds.items()}

    def training(steps: str, ends: str) -> float:
        epoch = median[steps] + median[f"{ends}/validate"]
        return EPOCHS * epoch + SAVES * median[f"{ends}/save"]

    return {
        "run": training("rd", "rd") + teacher.store(VIEWS),
        "ideal": training("student_only", "student_only") + VIEWS * teacher.bare,
        "online": training("online", "rd"),
    }


def run_in_full(bench: Bench, student: str, reporter: Reporter) -> dict[str, float]:
    """Seconds of a real run of `EPOCHS` epochs with a store of `VIEWS` views, and of the ideal."""
    reporter.phase("bench", f"A whole run of {student}")
    # of its own: another student's run would leave it the stored features
    place = replace(bench, folder=bench.folder / f"full {student}")
    (place.folder / student).mkdir(parents=True)
    measured = (bench.folder / f"{student}.json").read_bytes()
    (place.folder / f"{student}.json").write_bytes(measured)
    pictures = bare_pictures(bench)
    found = {
        "ideal": timed(
            lambda: place.session(student, "student_only", VIEWS, "student_only").train()
        )
    }
    reporter.progress(1, 3)
    found["ideal"] += sum(timed(partial(bare_pass, bench, pictures)) for _ in range(VIEWS))
    reporter.progress(2, 3)
    found["run"] = timed(lambda: place.session(student, "rd", VIEWS, "rd").train())
    reporter.progress(3, 3)
    return found


def _steps(trainer: Trainer, first: int, count: int) -> None:
    for step in range(first, first + count):
        trainer.step(step)


def _fill(bench: Bench, request: FeatureRequest, folder: Path) -> None:
    folder.mkdir()
    build_store(bench.teacher, bench.cache, request, folder, SilentReporter())
