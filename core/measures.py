"""What was measured of students and teachers on this machine, kept for the next time; no torch.

`core.measuring` measures. A file holds what was measured under one `Setting`; anything that would
change the figures (the machine, the picture's size, versions) changes the file's name.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from core.files import read_json, sha256_json, write_json
from core.machine import choose_threads, machine_name
from core.objectives.methods import METHODS
from core.projects import Project
from core.teachers.spec import TeacherSpec

MEASURE_VERSION = 2  # raise it when something else is measured
PACKAGES = ("torch", "timm", "lightning-fabric")


@dataclass(frozen=True)
class Setting:
    """Under which circumstances something is measured.

    Attributes:
        classes: Number of the student's outputs.
        image_px: Side of the student's picture.
        cached_px: Side of the pictures as they are kept.
        channels: 1 or 3, of the pictures as they are kept.
        batch: Images per training step.
        method: Name of the method, for what a training step computes.
        accelerator: As in the request: "auto", "cpu", "cuda", "mps".
        threads: Processor threads.
        precision: Arithmetic of the teacher, as in the request.
    """

    classes: int
    image_px: int
    cached_px: int
    channels: int
    batch: int
    method: str
    accelerator: str
    threads: int
    precision: Literal["auto", "float32", "bfloat16"]

    @property
    def key(self) -> str:
        """Name of the file of measurements: this setting on this machine in these versions."""
        parts = [MEASURE_VERSION, asdict(self), machine_name(), *map(_version, PACKAGES)]
        return sha256_json(parts)[:16]


@dataclass(frozen=True)
class Measures:
    """What is known so far.

    Attributes:
        start_s: Seconds until a process has loaded torch.
        busy: Share of the processor that other programs used when measuring began, in [0, 1].
        students: Name to what `core.measuring.measure_student` returned.
        teachers: `teacher_key` to what `core.measuring.measure_teacher` returned.
    """

    start_s: float
    busy: float
    students: dict[str, dict[str, Any]]
    teachers: dict[str, dict[str, Any]]


def setting_for(project: Project) -> Setting:
    """The circumstances of a run of `project` on this machine; before its import, usual ones."""
    config = project.request
    try:
        dataset = read_json(project.folder / "dataset.json")
        classes, channels = len(dataset["classes"]), int(dataset["channels"])
    except (OSError, ValueError, KeyError, TypeError):
        classes, channels = 2, 1
    return Setting(
        classes=classes,
        image_px=config.student.image_px,
        cached_px=config.data.pixels.size_px,
        channels=channels,
        batch=config.train.batch,
        method=config.method.name if config.method.name in METHODS else "rd",
        accelerator=config.device.accelerator,
        threads=choose_threads(config.device.threads),
        precision=config.device.precision,
    )


def teacher_key(spec: TeacherSpec) -> str:
    """What a teacher's measurements are filed under: its architecture, or its very file."""
    parts = [spec.architecture, spec.options, spec.image_px, list(spec.taps)]
    own = [spec.sha256] if spec.source == "file" else []
    return sha256_json(parts + own)[:16]


def read_measures(setting: Setting, workspace: Path) -> Measures:
    """What has been measured under `setting`; empty where nothing has."""
    try:
        found = read_json(_file(setting, workspace))
        return Measures(
            float(found["start_s"]), float(found["busy"]), found["students"], found["teachers"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Measures(0.0, 0.0, {}, {})


def write_measures(measures: Measures, setting: Setting, workspace: Path) -> None:
    """Keep what has been measured under `setting`."""
    facts = {"setting": asdict(setting), "machine": machine_name(), **asdict(measures)}
    write_json(_file(setting, workspace), facts)


def _file(setting: Setting, workspace: Path) -> Path:
    return workspace / "machine" / f"{setting.key}.json"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
