"""A tiny real data set and a tiny real teacher, for tests that train."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

from core.config import (
    DataSettings,
    DeviceSettings,
    EvaluationSettings,
    PixelSettings,
    RunConfig,
    StudentSettings,
    TeacherSettings,
    TrainSettings,
)
from core.data.manifest import Dataset
from core.data.phantom import write_demo
from core.data.scan import import_dataset
from core.data.split import split_images
from core.files import sha256_file, write_json
from core.teachers.spec import TeacherSpec
from core.types import AlertLevel, SilentReporter

SIDE = 32


def write_images(folder: Path, patients: int = 20) -> Path:
    """Phantom images of 32 px, two for each patient; returns the folder to import."""
    return write_demo(folder, patients=patients, images_per_patient=2, size_px=SIDE)


def write_tiny_teacher(folder: Path) -> Path:
    """A ResNet-10-T with random weights and its card; returns the path of its file."""
    torch.manual_seed(9)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "tiny.safetensors"
    save_file(timm.create_model("resnet10t", num_classes=0).state_dict(), file)
    spec = TeacherSpec(
        name="tiny", title="Tiny teacher", architecture="resnet10t", source="file",
        location=file.name, sha256=sha256_file(file), image_px=64, mean=(0.5,) * 3,
        std=(0.25,) * 3, taps=(1, 2, 3, 4), licence="Apache-2.0", licence_note="Free to use.",
    )  # fmt: skip
    write_json(file.with_suffix(".json"), {"spec": spec.model_dump(mode="json")})
    return file


def tiny_config(images: Path, teacher: Path, method: str = "rd", **train: object) -> RunConfig:
    """A run of seconds: 32 px, one thread, float32."""
    settings = {"epochs": 3, "batch": 8, "patience": 0} | train
    return RunConfig(
        name=f"tiny {method}",
        data=DataSettings(source=str(images), pixels=PixelSettings(size_px=SIDE)),
        teacher=TeacherSettings(name=str(teacher), views=2),
        student=StudentSettings(name="resnet10t", image_px=SIDE),
        method=RunConfig.model_fields["method"].default.model_copy(update={"name": method}),
        train=TrainSettings.model_validate(settings),
        evaluation=EvaluationSettings(resamples=200),
        device=DeviceSettings(accelerator="cpu", precision="float32", threads=1),
    )


def tiny_dataset(config: RunConfig, workspace: Path) -> Dataset:
    """Import and divide the images of a configuration."""
    dataset = import_dataset(config.data, workspace, SilentReporter())
    split = split_images(dataset.images, dataset.task, config.split)
    return dataset.with_images(split.applied(dataset.images))


class ListReporter(SilentReporter):
    """Keeps what it is told; asks to stop after `stop_after` progress reports."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.metrics: list[tuple[str, float, int]] = []
        self.alerts: list[tuple[str, str, str]] = []
        self.steps = 0
        self._stop_after = stop_after

    def metric(self, name: str, value: float, *, step: int, epoch: float) -> None:
        self.metrics.append((name, value, step))

    def alert(self, level: AlertLevel, code: str, text: str) -> None:
        self.alerts.append((level, code, text))

    def progress(self, done: int, total: int) -> None:
        self.steps += 1

    def stop_requested(self) -> bool:
        return self._stop_after is not None and self.steps >= self._stop_after
