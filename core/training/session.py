"""From a request, a data set and a teacher to a trained student: what is built, in which order."""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from core.config import RunConfig
from core.data.cache import PixelCache
from core.data.manifest import Dataset
from core.errors import TrainingError
from core.files import read_json, require_free, write_json
from core.objectives.methods import (
    find_method,
    require_suitable,
    stages_in_use,
    teacher_taps,
)
from core.students.base import Student, build_student
from core.students.weights import load_initial_weights
from core.teachers.base import Teacher
from core.teachers.features import (
    FeatureRequest,
    Features,
    OnlineFeatures,
    build_store,
    store_bytes,
)
from core.teachers.precision import choose_precision
from core.teachers.probe import LinearProbe, fit_probe
from core.teachers.room import plan_views
from core.training.adapting import adapt_teacher
from core.training.batches import Batch, TrainingBatches, class_weights
from core.training.checkpoint import CheckpointFolder
from core.training.device import Chosen, choose, choose_accelerator
from core.training.loop import Trainer, TrainJob, loss_terms
from core.training.model import DistillationModel
from core.training.step import Stepper
from core.training.validate import Validation
from core.types import Reporter, SplitName

CHECKPOINTS = 5  # at a time: newest, one before, best, of an epoch's end, and one being written
STATE = 3  # times the weights: they and the two moments of the optimiser


@dataclass(frozen=True)
class Places:
    """Where a training keeps its files.

    Attributes:
        features: Folder of all feature stores, shared between runs.
        checkpoints: Folder of this run's checkpoints.
        device: File that records what was chosen by measurement.
        views: File that records how many views the disk held and in which arithmetic the teacher
            looked, or, if there are none, looks at every batch.
        probe: File that keeps the teacher's linear probe.
        adapter: File that keeps the teacher's low-rank adapter, for a method that trains one.
    """

    features: Path
    checkpoints: Path
    device: Path
    views: Path
    probe: Path
    adapter: Path


@dataclass(frozen=True)
class Session:
    """A prepared training.

    Attributes:
        student: As it stands; `train` fills it with the best weights.
        teacher: Who teaches, fitted to the labels if the method does that.
        request: Which teacher features are used; nothing for a method without a teacher.
        features: Where they come from.
    """

    config: RunConfig
    dataset: Dataset
    cache: PixelCache
    student: Student
    teacher: Teacher | None
    request: FeatureRequest | None
    features: Features | None
    places: Places
    reporter: Reporter

    def train(self) -> Student:
        """Train (or go on training) and return the student with its best weights.

        Returns:
            The student on the processor, in float32 and evaluation mode.

        Raises:
            Stopped: The reporter asked to stop; the state is saved.
            TrainingError: Training cannot go on (T40), or its best checkpoint is damaged (T42).
        """
        trainer, _ = self.trainer(self.reporter)
        config = self.config
        self.reporter.phase(
            "train", f"Training {config.student.name} for {config.train.epochs} epochs"
        )
        trainer.run()
        best = trainer.job.checkpoints.best()
        if best is None:
            raise TrainingError(
                "T42",
                "The best checkpoint is damaged",
                todo="Resume the run; it trains on from the newest one.",
            )
        trainer.model.load_state_dict(best.state["model"])
        return self.student.cpu().float().eval()

    def trainer(self, reporter: Reporter) -> tuple[Trainer, Chosen]:
        """The loop, ready to go, on the device and in the precision chosen for it."""
        model = self._model()
        job = self._job(reporter)
        chosen, fabric = choose(
            self.config.device, self.places.device, lambda fabric: _trial(job, model, fabric)
        )
        return Trainer(job, model, fabric), chosen

    def _model(self) -> DistillationModel:
        torch.manual_seed(self.config.train.seed + 1)  # the student's own weights are drawn before
        shapes = [] if self.features is None else _map_shapes(self.features)
        method = find_method(self.config.method.name)
        model = DistillationModel(self.student, method, shapes, self.config.student.image_px)
        model.to(memory_format=torch.channels_last)
        return model

    @property
    def _device(self) -> torch.device:
        return torch.device(choose_accelerator(self.config.device))

    def _job(self, reporter: Reporter) -> TrainJob:
        config, data = self.config, self.dataset
        side, method = config.student.image_px, find_method(config.method.name)
        probe = fit_session_probe(self) if "probe" in method.uses else None
        return TrainJob(
            config=config,
            method=method,
            task=data.task,
            class_weights=class_weights(data.part(SplitName.TRAIN), data, config.train.balance),
            batches=TrainingBatches(
                data, self.cache, config.train, side, self.features, self._device, probe
            ),
            validation=Validation(data, self.cache, side, self.features),
            checkpoints=CheckpointFolder(self.places.checkpoints),
            reporter=reporter,
        )


def prepare(
    config: RunConfig,
    dataset: Dataset,
    cache: PixelCache,
    teacher: Teacher | None,
    places: Places,
    reporter: Reporter,
) -> Session:
    """Build the student and compute the teacher's features.

    Args:
        config: The request.
        dataset: Manifest with splits.
        cache: Its pixels.
        teacher: Needed by methods that have one.
        places: Where files go.
        reporter: Told of progress; may ask to stop.

    Raises:
        Stopped: The reporter asked to stop.
        SystemError_: The disk is too small.
        ConfigError: C18, the method is undefined for these labels.
    """
    require_suitable(config.method.name, dataset.task, len(dataset.classes))
    student = initial_student(config, len(dataset.classes))
    weights = sum(tensor.nbytes for tensor in student.parameters())
    require_free(places.checkpoints, CHECKPOINTS * STATE * weights, "The training's state")
    method = find_method(config.method.name)
    request: FeatureRequest | None = None
    features: Features | None = None
    if method.needs_teacher:
        if teacher is None:
            raise TrainingError("T06", f"The method {config.method.name} needs a teacher")
        teacher.to(choose_accelerator(config.device))
        if method.adapts:
            teacher = adapt_teacher(config, dataset, cache, teacher, places.adapter, reporter)
        request = _request(config, dataset, student, teacher)
        request, features = _features(request, teacher, cache, places, reporter)
    return Session(config, dataset, cache, student, teacher, request, features, places, reporter)


def initial_student(config: RunConfig, classes: int) -> Student:
    """The student before its first step.

    Its weights depend on the seed alone, so methods compared under one seed start alike.
    """
    torch.manual_seed(config.train.seed)
    student = build_student(config.student.name, classes, config.student.image_px)
    if config.student.weights:
        load_initial_weights(student, Path(config.student.weights))
    return student


def fit_session_probe(session: Session) -> LinearProbe:
    """The linear probe on the very features that training uses; sees the training images alone.

    It is fitted once and kept, so that a resumed run learns from the same answers.

    Raises:
        TrainingError: The method has no teacher.
    """
    if session.features is None:
        raise TrainingError("T06", f"The method {session.config.method.name} has no teacher")
    data, file = session.dataset, session.places.probe
    if file.exists():
        return LinearProbe.load(file, data.task)
    session.reporter.phase("probe", "Fitting the teacher's linear probe")
    frame = data.part(SplitName.TRAIN)
    pooled = np.stack(
        [
            np.concatenate(
                [
                    session.features.seen(positions, np.full(len(positions), view))[-1]
                    .mean((2, 3))
                    .numpy()
                    for positions in np.array_split(np.arange(len(frame)), len(frame) // 64 + 1)
                ]
            )
            for view in range(session.features.views)
        ]
    )
    groups = frame["group"].to_numpy()
    probe = fit_probe(pooled, data.targets(frame), groups, len(data.classes), data.task)
    probe.save(file)
    return probe


def _request(
    config: RunConfig, dataset: Dataset, student: Student, teacher: Teacher
) -> FeatureRequest:
    stages = stages_in_use(find_method(config.method.name), len(student.stages))
    taps = teacher_taps(stages, len(student.stages), len(teacher.spec.taps))
    grids = student.grid(config.student.image_px)
    return FeatureRequest(
        train=dataset.part(SplitName.TRAIN),
        validation=dataset.part(SplitName.VALIDATION),
        data_sha256=dataset.sha256,
        seed=config.train.seed,
        views=config.teacher.views,
        augment=config.train.augment,
        taps=tuple(taps),
        grids=tuple(grids[stage] for stage in stages),
        precision=config.device.precision,
    )


def _features(
    request: FeatureRequest,
    teacher: Teacher,
    cache: PixelCache,
    places: Places,
    reporter: Reporter,
) -> tuple[FeatureRequest, Features]:
    """The store with as many views as the disk holds, or the teacher itself where it holds none."""
    places.features.mkdir(parents=True, exist_ok=True)
    per_view, clean = store_bytes(teacher, request)
    if not places.views.exists():  # decided once: a resumed run shows the same views
        free = shutil.disk_usage(places.features).free
        views = plan_views(per_view, clean, request.views, free)
        precision = None if views else choose_precision(teacher, request.precision)
        write_json(places.views, {"views": views, "precision": precision})
    before = decided = read_json(places.views)
    if isinstance(decided, int):  # by an earlier version
        decided = {"views": decided, "precision": "float32"}
    views = int(decided["views"])
    if views == 0:
        reporter.alert(
            "warning",
            "T10",
            "The disk cannot hold the teacher's features; they are computed in every step, slower",
        )
        return request, OnlineFeatures(teacher, cache, request, decided["precision"])
    if views < request.views:
        reporter.alert(
            "warning",
            "T11",
            f"The disk holds {views} of {request.views} views of each image; training uses those",
        )
        request = replace(request, views=views)
    megabytes = (per_view * views + clean) / 1e6
    reporter.phase(
        "features",
        f"Asking the teacher about {len(request.train):,} images in {views} views "
        f"({megabytes:,.0f} MB)",
    )
    stored = build_store(teacher, cache, request, places.features, reporter)
    decided = {"views": views, "precision": stored.precision}
    if decided != before:
        write_json(places.views, decided)
    return request, stored


def _map_shapes(features: Features) -> list[tuple[int, int, int]]:
    return [
        (found.shape[1], found.shape[2], found.shape[3])
        for found in features.seen(np.array([0]), np.array([0]))
    ]


def _trial(job: TrainJob, model: DistillationModel, fabric: Fabric) -> None:
    """One training step on a copy, to time it."""
    twin = copy.deepcopy(model)
    stepper = Stepper(twin, fabric, job.config.train)

    def loss(part: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        total = torch.stack(
            list(loss_terms(job, twin, stepper.wrapped, part, job.weights(0)).values())
        ).sum()
        return total, {"loss": total}

    stepper.take(job.batches.batch(0).to(fabric.device), loss, 0, 1e-6)
