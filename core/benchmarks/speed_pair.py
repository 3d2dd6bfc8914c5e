"""One teacher and one student, prepared for `bench speed` as a run would prepare them."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from core.config import (
    DataSettings,
    PixelSettings,
    RunConfig,
    StudentSettings,
    TeacherSettings,
    TrainSettings,
)
from core.config_method import MethodSettings
from core.data.cache import PixelCache
from core.data.manifest import Dataset
from core.data.scan import import_dataset
from core.data.split import split_images
from core.errors import TrainingError
from core.files import workspace_folder
from core.teachers.base import Precision, Teacher, build_network
from core.teachers.features import OnlineFeatures
from core.teachers.precision import choose_precision
from core.teachers.spec import TeacherSpec
from core.training.device import Chosen
from core.training.loop import Trainer
from core.training.session import Places, Session, prepare
from core.types import Reporter, SilentReporter, SplitName

SIDE = 224
BATCH = 32
EPOCHS, VIEWS = 30, 4  # of the run that is reckoned from a few timed epochs
TRAINING_IMAGES = 96  # whole batches, yet few enough for a ViT on a processor
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def speed_config(student: str, method: str, views: int = 1) -> RunConfig:
    """The defaults of every run, at 224 px; nothing ends a training early."""
    return RunConfig(
        name="speed",
        data=DataSettings(source="demo", pixels=PixelSettings(size_px=SIDE)),
        teacher=TeacherSettings(views=views),
        student=StudentSettings(name=student, image_px=SIDE),
        method=MethodSettings(name=method),
        train=TrainSettings(batch=BATCH, epochs=EPOCHS, patience=0),
    )


def speed_data(reporter: Reporter) -> Dataset:
    """Some of the phantom's images, a third as many for validation as for training."""
    config = speed_config("resnet18", "rd")
    dataset = import_dataset(config.data, workspace_folder(), reporter)
    images = split_images(dataset.images, dataset.task, config.split).applied(dataset.images)
    train = images[images["split"] == SplitName.TRAIN.value].head(TRAINING_IMAGES)
    validation = images[images["split"] == SplitName.VALIDATION.value].head(TRAINING_IMAGES // 3)
    return dataset.with_images(images.loc[train.index.union(validation.index)])


def speed_teacher() -> Teacher:
    """A ViT-B/16 with random weights: speed does not ask for knowledge."""
    mean, std = IMAGENET
    spec = TeacherSpec(
        name="speed", title="ViT-B/16, random weights", architecture="vit_base_patch16_224",
        source="file", location="none", image_px=SIDE, mean=mean, std=std, taps=(2, 5, 8, 11),
        licence="none", licence_note="none",
    )  # fmt: skip
    return Teacher(spec, build_network(spec))


@dataclass(frozen=True)
class Bench:
    """What all timings share.

    Attributes:
        dataset: A few images.
        teacher: The network that teaches.
        folder: For everything that is written; thrown away.
        reporter: Told of progress.
    """

    dataset: Dataset
    teacher: Teacher
    folder: Path
    reporter: Reporter

    @functools.cached_property
    def precision(self) -> Precision:
        """The teacher's arithmetic: what a store would take."""
        return choose_precision(self.teacher, "auto")

    @property
    def cache(self) -> PixelCache:
        """The decoded images."""
        return PixelCache(self.dataset.folder)

    def session(self, student: str, method: str, views: int, place: str) -> Session:
        """A training from its beginning, its features computed.

        Every training of one student uses the device and precision that the first one measured.
        """
        home = self.folder / student / place
        features = self.folder / "features"
        device = self.folder / f"{student}.json"
        places = Places(
            features, home / "checkpoints", device, home / "views.json", home / "probe",
            home / "adapter",
        )  # fmt: skip
        config = speed_config(student, method, views)
        reporter = SilentReporter()
        return prepare(config, self.dataset, self.cache, self.teacher, places, reporter)

    def trainer(self, student: str, method: str) -> tuple[Trainer, Chosen]:
        """Its loop, before the first step."""
        return self.session(student, method, 1, method).trainer(SilentReporter())

    def online(self, student: str) -> Trainer:
        """RD without a store: the teacher looks at every batch, as in other libraries."""
        session = self.session(student, "rd", 1, "online")
        if session.request is None:
            raise TrainingError("T06", "RD needs a teacher")
        features = OnlineFeatures(self.teacher, self.cache, session.request, self.precision)
        return replace(session, features=features).trainer(SilentReporter())[0]
