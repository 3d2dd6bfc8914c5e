"""One tiny data set and teacher for all tests that train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from core.config import RunConfig
from core.data.cache import PixelCache
from core.data.manifest import Dataset
from core.teachers.base import Teacher
from core.teachers.catalogue import find_teacher
from core.teachers.checkpoint import load_teacher
from core.training.batches import Batch
from core.training.loop import Trainer
from core.training.session import Places, Session, prepare
from core.types import Reporter, SilentReporter
from tests.tiny import tiny_config, tiny_dataset, write_images, write_tiny_teacher


@dataclass(frozen=True)
class Bench:
    """Everything a tiny training needs."""

    images: Path
    file: Path
    dataset: Dataset
    teacher: Teacher
    features: Path

    def config(self, method: str = "rd", **train: object) -> RunConfig:
        return tiny_config(self.images, self.file, method, **train)

    def session(self, folder: Path, config: RunConfig, reporter: Reporter | None = None) -> Session:
        places = Places(
            self.features,
            folder / "checkpoints",
            folder / "device.json",
            folder / "views.json",
            folder / "probe.safetensors",
            folder / "adapter.safetensors",
        )
        cache = PixelCache(self.dataset.folder)
        return prepare(
            config, self.dataset, cache, self.teacher, places, reporter or SilentReporter()
        )


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    home = tmp_path_factory.mktemp("bench")
    images, file = write_images(home / "demo"), write_tiny_teacher(home / "teacher")
    dataset = tiny_dataset(tiny_config(images, file), home / "workspace")
    teacher = load_teacher(find_teacher(str(file)), home)
    return Bench(images, file, dataset, teacher, home / "features")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def poison(trainer: Trainer, bad: Callable[[int], bool]) -> None:
    """Make the loss of the steps that are `bad` no number."""
    real = trainer.job.batches.batch

    def batch(step: int) -> Batch:
        made = real(step)
        if bad(step):
            made.images.fill_(float("nan"))
        return made

    trainer.job.batches.batch = batch  # type: ignore[method-assign]
