"""What a teacher and a student will cost on this machine before anything is started; no torch.

Everything comes from measurements (`core.measures`), the project's images and its settings. It is
an estimate: what else the computer does meanwhile is not known.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from core.config import RunConfig
from core.files import read_json
from core.measures import Measures, teacher_key
from core.objectives.methods import find_method, stages_in_use, teacher_taps
from core.projects import Project
from core.teachers.room import (
    bytes_per_image,
    find_store,
    kept_shapes,
    plan_views,
    store_choices,
    store_key,
    store_name,
    stored_progress,
)
from core.teachers.spec import TeacherSpec
from core.types import SplitName

STARTS = 8  # a run's fixed parts take as long as loading torch that many times: start, cost, probe,
# export with its check, figures and report (measured on two machines: 6 to 9)
CHECKPOINTS = 3  # last, previous, best
NUMBERS = 3  # a checkpoint holds each weight and AdamW's two averages of it
PHI = 1.1  # the reprogramming module adds about a tenth
FLOAT = 4  # bytes
PASS = 3  # a pass forward and back takes as long as three forward
Facts = dict[str, Any]


@dataclass(frozen=True)
class Images:
    """What a project trains on.

    Attributes:
        data_sha256: Hash of the data set.
        train: Ids of the training images, in their order.
        validation: Ids of the validation images.
    """

    data_sha256: str
    train: tuple[str, ...]
    validation: tuple[str, ...]


@dataclass(frozen=True)
class Estimate:
    """What a run would take.

    Attributes:
        seconds: Of each part: "features", "training", "rest".
        bytes: Of each part on the disk: "features", "checkpoints", "export".
        views: Views of each image the disk holds; 0 means the teacher runs in every step.
        wanted_views: Views asked for.
        kept: Whether an earlier run has left the features.
        free: Bytes free on the disk.
    """

    seconds: dict[str, float]
    bytes: dict[str, int]
    views: int
    wanted_views: int
    kept: bool
    free: int

    @property
    def fits(self) -> bool:
        """Whether the disk holds what must be written."""
        return self.free > self.bytes["checkpoints"] + self.bytes["export"] + 256_000_000


def read_images(project: Project) -> Images:
    """Which images of an imported project are trained on; cheap enough for a page.

    Raises:
        OSError, ValueError, KeyError: The import is missing or damaged.
    """
    table = pd.read_parquet(project.folder / "manifest.parquet", columns=["image", "code", "split"])
    usable = table[table["code"] == ""]
    train, validation = (
        tuple(usable.loc[usable["split"] == part.value, "image"])
        for part in (SplitName.TRAIN, SplitName.VALIDATION)
    )
    return Images(read_json(project.folder / "dataset.json")["sha256"], train, validation)


def estimate(
    config: RunConfig, images: Images, known: Measures, spec: TeacherSpec, workspace: Path
) -> Estimate | None:
    """What a run of `config` would take; None as long as its pair has not been measured.

    Args:
        config: The request.
        images: From `read_images`.
        known: From `core.measures.read_measures`.
        spec: The teacher that the request names.
        workspace: Where stores of features are kept.
    """
    student = known.students.get(config.student.name, {})
    teacher = known.teachers.get(teacher_key(spec), {})
    method = find_method(config.method.name)
    if "train_ms" not in student or (method.needs_teacher and "feature_ms" not in teacher):
        return None
    free = shutil.disk_usage(workspace).free
    epochs, train, validation = config.train.epochs, len(images.train), len(images.validation)
    batch = max(1, min(config.train.batch, train))
    shown = train // batch * batch  # an epoch leaves its last, smaller batch out
    seconds = {
        "features": 0.0,
        "training": epochs * (shown * student["train_ms"] + validation * student["infer_ms"]) / 1e3,
        "rest": STARTS * known.start_s,
    }
    size = {
        "features": 0,
        "checkpoints": round(CHECKPOINTS * NUMBERS * FLOAT * PHI * student["parameters"]),
        "export": round(2e6 * student["megabytes"]),
    }
    views, kept = 0, False
    if method.needs_teacher:
        per_image, store = _store(config, images, student, teacher, spec)
        home, _ = find_store(workspace / "features", store, config.teacher.views)
        done = stored_progress(home)
        held = per_image * (done["views"] * train + done["clean"])
        views = plan_views(
            per_image * train, per_image * validation, config.teacher.views, free + held
        )
        asked = max(0, views - done["views"]) * train + max(0, validation - done["clean"])
        if views == 0:  # the disk holds none: the teacher is asked in every step
            asked, held = epochs * (shown + validation), 0
        size["features"] = per_image * (views * train + validation) if views else 0
        if method.adapts:  # the teacher is trained, too
            asked += PASS * config.method.lora_epochs * shown
        seconds["features"] = asked * teacher["feature_ms"] / 1e3
        kept = views > 0 and asked == 0
    return Estimate(seconds, size, views, config.teacher.views, kept, free)


def _store(
    config: RunConfig, images: Images, student: Facts, teacher: Facts, spec: TeacherSpec
) -> tuple[int, str]:
    """Bytes that one view of one image takes, and the name of the store."""
    count = len(student["grids"])
    stages = stages_in_use(find_method(config.method.name), count)
    taps = teacher_taps(stages, count, len(spec.taps))
    grids = [(int(high), int(wide)) for high, wide in (student["grids"][stage] for stage in stages)]
    maps = [(int(deep), int(high), int(wide)) for deep, high, wide in teacher["maps"]]
    kept = kept_shapes([maps[tap] for tap in taps], grids)
    choices = store_choices(config.train.seed, config.train.augment, config.device.precision)
    key = store_key(spec, images.data_sha256, images.train, images.validation, choices)
    return bytes_per_image(kept), store_name(key, taps, grids)
