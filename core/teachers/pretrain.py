"""Train a small teacher from nothing: on folders of images, on made pictures, or on both.

What is learned stands in `core.teachers.pretrain_images` and `core.teachers.pretrain_scenes`; here
is the loop. Everything random is a function of (seed, step) or (seed, image, epoch), so an
interrupted training resumes to the same weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from core.errors import TrainingError
from core.files import atomic_path, sha256_json
from core.teachers.pretrain_card import write_teacher
from core.teachers.pretrain_images import ImageCourse
from core.teachers.pretrain_recipe import Lesson, PretrainSettings
from core.teachers.pretrain_scenes import SceneCourse
from core.teachers.spec import TeacherSpec
from core.types import Reporter, Stopped

Spent = tuple[float, float]  # seconds that passed, seconds of all processor cores
SAVE_EVERY = 100  # steps


class Pupil(nn.Module):
    """The network in training, and the heads of what it learns from.

    Args:
        lessons: The folders; none for made pictures alone.
        settings: The recipe.

    Raises:
        TrainingError: T30, there are fewer images than one batch.
    """

    def __init__(self, lessons: Sequence[Lesson], settings: PretrainSettings) -> None:
        super().__init__()
        self.backbone = timm.create_model(settings.architecture, pretrained=False, num_classes=0)
        self.courses = nn.ModuleList()
        self.steps = settings.steps
        if lessons:
            width: int = self.backbone.num_features  # type: ignore[assignment]
            images = ImageCourse(lessons, settings, width)
            self.steps = images.steps
            self.courses.append(images)
        if settings.scenes:
            self.courses.append(SceneCourse(settings, self.backbone, self.steps))

    def loss(self, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum over all it learns from, and the terms by name."""
        total = torch.zeros(())
        terms: dict[str, Tensor] = {}
        for course in self.courses:
            loss, parts = course.loss(self.backbone, step)  # type: ignore[operator]
            total, terms = total + loss, terms | parts
        return total, terms


def pretrain(
    lessons: Sequence[Lesson], settings: PretrainSettings, folder: Path, reporter: Reporter
) -> TeacherSpec:
    """Train a teacher and write its file, card and list of images into `folder`.

    Args:
        lessons: The data sets.
        settings: The recipe.
        folder: Where ``<name>.safetensors``, ``<name>.json`` and ``<name>.images.csv`` go; while
            training, ``<name>.resume.pt`` too.
        reporter: Told of progress; may ask to stop, after which a later call goes on.

    Returns:
        The card's specification.

    Raises:
        TrainingError: There are fewer images than one batch.
        Stopped: The reporter asked to stop; the state is saved.
    """
    torch.manual_seed(settings.seed)
    pupil = Pupil(lessons, settings)
    pupil.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(_groups(pupil), lr=settings.learning_rate, fused=True)
    resume = folder / f"{settings.name}.resume.pt"
    identity = sha256_json([settings.model_dump(), [found.dataset.sha256 for found in lessons]])
    first, clock = _restore(resume, pupil, optimiser, identity)
    reporter.phase("pretrain", f"Training {settings.title} in {pupil.steps:,} steps")
    pupil.train()
    for step in range(first, pupil.steps):
        if reporter.stop_requested():
            _save(resume, pupil, optimiser, identity, step, clock())
            raise Stopped
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * _warm_cosine(step, pupil.steps)
        loss, parts = pupil.loss(step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)
        optimiser.step()
        for name, value in {"loss": loss.detach(), **parts}.items():
            reporter.metric(
                name, float(value), step=step, epoch=settings.epochs * step / pupil.steps
            )
        reporter.progress(step + 1, pupil.steps)
        if (step + 1) % SAVE_EVERY == 0:
            _save(resume, pupil, optimiser, identity, step + 1, clock())
    seconds, processor_seconds = clock()
    compute = {
        "steps": pupil.steps,
        "seconds": round(seconds),
        "processor_seconds": round(processor_seconds),
    }
    spec = write_teacher(pupil.backbone, lessons, settings, folder, compute)
    resume.unlink(missing_ok=True)
    return spec


def _warm_cosine(step: int, steps: int) -> float:
    """Share of the highest rate: a rise over 5 % of the steps, then half a cosine down to 0."""
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _groups(pupil: nn.Module) -> list[dict[str, object]]:
    """Weight decay for matrices and kernels, none for norms and biases."""
    kernels = [p for p in pupil.parameters() if p.ndim > 1]
    others = [p for p in pupil.parameters() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]


def _save(
    file: Path,
    pupil: nn.Module,
    optimiser: torch.optim.Optimizer,
    identity: str,
    step: int,
    spent: Spent,
) -> None:
    state = {"pupil": pupil.state_dict(), "optimiser": optimiser.state_dict()}
    with atomic_path(file) as temporary:
        torch.save({**state, "identity": identity, "step": step, "spent": list(spent)}, temporary)


def _restore(
    file: Path, pupil: nn.Module, optimiser: torch.optim.Optimizer, identity: str
) -> tuple[int, Callable[[], Spent]]:
    """The step to go on from, and a clock that counts what earlier attempts spent too.

    Raises:
        TrainingError: T31, the file belongs to another recipe or other images.
    """
    step, before = 0, (0.0, 0.0)
    if file.exists():
        saved = torch.load(file, weights_only=True)
        if saved.get("identity") != identity:
            raise TrainingError(
                "T31",
                "An unfinished teacher of this name comes from another recipe or other images",
                item=file.name,
                todo="Choose another name, or delete this file to start again.",
            )
        pupil.load_state_dict(saved["pupil"])
        optimiser.load_state_dict(saved["optimiser"])
        step, before = int(saved["step"]), tuple(saved["spent"])
    start = (time.monotonic(), time.process_time())

    def clock() -> Spent:
        now = (time.monotonic(), time.process_time())
        return before[0] + now[0] - start[0], before[1] + now[1] - start[1]

    return step, clock
