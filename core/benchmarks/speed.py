"""What the teacher costs in training: an RD step over a plain step of the same student.

Everything is as in a run: cached pixels, views, stored teacher features read from disk, losses,
backward pass, optimiser. Steps of both kinds alternate and the medians are compared, so that a busy
machine slows both alike. The teacher is a ViT-B/16 with random weights: speed does not ask for
knowledge.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from core.benchmarks.base import BENCHMARKS
from core.config import (
    DataSettings,
    MethodSettings,
    PixelSettings,
    RunConfig,
    StudentSettings,
    TeacherSettings,
    TrainSettings,
)
from core.data.cache import PixelCache
from core.data.manifest import Dataset
from core.data.scan import import_dataset
from core.data.split import split_images
from core.files import workspace_folder
from core.teachers.base import Teacher, build_network
from core.teachers.spec import TeacherSpec
from core.training.device import Chosen
from core.training.loop import Trainer
from core.training.session import Places, prepare
from core.types import Reporter, SilentReporter, SplitName

PAIRS = ("resnet18", "mobilenetv3_small_100")
METHODS = ("student_only", "rd")
SIDE = 224
BATCH = 32
TRAINING_IMAGES = 96
WARM_UP = 2
REPEATS = 15
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Speed:
    """Images per second of both kinds of steps, and their ratio."""

    def measure(
        self, reporter: Reporter, folders: Sequence[Path] = (), *, scale: bool = False
    ) -> dict[str, Any]:
        """Time interleaved steps for each student; needs no images.

        Returns:
            ``pairs``: for each student ``student_images_per_second``, ``rd_images_per_second``,
            ``rd_step_over_student_step`` (medians) and what was chosen for the device; besides
            ``teacher``, ``image_px``, ``batch`` and ``repeats``.
        """
        dataset = _data(reporter)
        teacher = _teacher()
        pairs = {}
        with tempfile.TemporaryDirectory(prefix="bedside-bench-") as folder:
            for student in PAIRS:
                pairs[student] = _compare(student, dataset, teacher, Path(folder), reporter)
        return {
            "benchmark": "speed",
            "teacher": teacher.spec.title,
            "image_px": SIDE,
            "batch": BATCH,
            "repeats": REPEATS,
            "pairs": pairs,
        }

    def table(self, result: dict[str, Any]) -> Table:
        """One line for each student."""
        shown = Table(
            "student", "student only, images/s", "RD, images/s", "RD / student step", "precision",
            title=f"Training step at {result['image_px']} px, batch {result['batch']}",
            box=None, header_style="dim",
        )  # fmt: skip
        for name, found in result["pairs"].items():
            shown.add_row(
                name,
                f"{found['student_images_per_second']:.1f}",
                f"{found['rd_images_per_second']:.1f}",
                f"{found['rd_step_over_student_step']:.3f}",
                found["device"]["precision"],
            )
        return shown


BENCHMARKS.register("speed", __name__)(Speed())


def _config(student: str, method: str) -> RunConfig:
    return RunConfig(
        name="speed",
        data=DataSettings(source="demo", pixels=PixelSettings(size_px=SIDE)),
        teacher=TeacherSettings(views=1),
        student=StudentSettings(name=student, image_px=SIDE),
        method=MethodSettings(name=method),
        train=TrainSettings(batch=BATCH),
    )


def _data(reporter: Reporter) -> Dataset:
    """Some of the phantom's images: whole batches, yet few enough for a ViT on a processor."""
    config = _config(PAIRS[0], "rd")
    dataset = import_dataset(config.data, workspace_folder(), reporter)
    images = split_images(dataset.images, dataset.task, config.split).applied(dataset.images)
    train = images[images["split"] == SplitName.TRAIN.value].head(TRAINING_IMAGES)
    validation = images[images["split"] == SplitName.VALIDATION.value].head(BATCH)
    return dataset.with_images(images.loc[train.index.union(validation.index)])


def _teacher() -> Teacher:
    mean, std = IMAGENET
    spec = TeacherSpec(
        name="speed", title="ViT-B/16, random weights", architecture="vit_base_patch16_224",
        source="file", location="none", image_px=SIDE, mean=mean, std=std, taps=(2, 5, 8, 11),
        licence="none", licence_note="none",
    )  # fmt: skip
    return Teacher(spec, build_network(spec))


def _compare(
    student: str, dataset: Dataset, teacher: Teacher, folder: Path, reporter: Reporter
) -> dict[str, Any]:
    reporter.phase("bench", f"Preparing {student}")
    trainers = {}
    chosen: Chosen | None = None
    for method in METHODS:
        home = folder / student / method
        places = Places(folder / "features", home, folder / f"{student}.json", home / "views.json")
        config = _config(student, method)
        session = prepare(config, dataset, PixelCache(dataset.folder), teacher, places, reporter)
        # both use what was measured for the student alone: `device` is recorded by the first
        trainers[method], chosen = session.trainer(SilentReporter())
    reporter.phase("bench", f"Timing {student}")
    seconds = _time(trainers, reporter)
    medians = {method: statistics.median(found) for method, found in seconds.items()}
    return {
        "student_images_per_second": BATCH / medians["student_only"],
        "rd_images_per_second": BATCH / medians["rd"],
        "rd_step_over_student_step": medians["rd"] / medians["student_only"],
        "seconds": seconds,
        "device": vars(chosen),
        "config_sha256": _config(student, "rd").sha256,
    }


def _time(trainers: dict[str, Trainer], reporter: Reporter) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {method: [] for method in trainers}
    for repeat in range(WARM_UP + REPEATS):
        for method, trainer in trainers.items():
            started = time.perf_counter()
            trainer.step(repeat)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if repeat >= WARM_UP:
                seconds[method].append(time.perf_counter() - started)
        reporter.progress(repeat + 1, WARM_UP + REPEATS)
    return seconds
