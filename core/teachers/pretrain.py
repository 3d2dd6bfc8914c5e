"""Train a small teacher from nothing on folders of images, without needing labels.

One network, two kinds of lesson in every step:

- *Instance discrimination* on all images (SimCLR, Chen et al. 2020, arXiv 2002.05709): two strong
  views of an image must find each other among the views of the batch (NT-Xent loss).
- *Classification* where a folder has labels: one linear head per folder, cross-entropy for classes
  and binary cross-entropy for findings.

Everything random is a function of (seed, step) or (seed, image, epoch), so an interrupted training
resumes to the same weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.data.augment import apply_views, draw_views
from core.errors import TrainingError
from core.files import atomic_path, sha256_json
from core.teachers.pretrain_card import GREY, QUARTER, write_teacher
from core.teachers.pretrain_recipe import Lesson, PretrainSettings
from core.teachers.spec import TeacherSpec
from core.types import Reporter, Stopped, Task

Spent = tuple[float, float]  # seconds that passed, seconds of all processor cores

PROJECTION = 128
TEMPERATURE = 0.2


class Pupil(nn.Module):
    """The network in training: backbone, projection head, one classifier per labelled data set.

    Args:
        architecture: timm architecture of the backbone.
        classes: Number of classes of every data set, 0 for one without labels.
    """

    def __init__(self, architecture: str, classes: Sequence[int]) -> None:
        super().__init__()
        self.backbone = timm.create_model(architecture, pretrained=False, num_classes=0)
        width: int = self.backbone.num_features  # type: ignore[assignment]
        self.projection = nn.Sequential(
            nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, PROJECTION)
        )
        self.heads = nn.ModuleList(nn.Linear(width, max(count, 1)) for count in classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``[N, width]`` and unit-length projections ``[N, 128]`` of normalised images."""
        features = self.backbone(images)
        return features, F.normalize(self.projection(features).float(), dim=1)


def nt_xent(first: Tensor, second: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Normalised temperature-scaled cross-entropy (Chen et al. 2020, equation 1).

    Args:
        first: ``[N, D]`` unit-length projections of one view of N images.
        second: The same of the other view.
        temperature: Sharpness of the comparison.

    Returns:
        Scalar loss; ``log(2N - 1)`` when all projections are alike.
    """
    both = torch.cat([first, second])
    likeness = both @ both.T / temperature
    likeness.fill_diagonal_(-torch.inf)
    count = len(first)
    partner = torch.arange(2 * count, device=both.device).roll(count)
    return F.cross_entropy(likeness, partner)


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
    plan = _Plan(lessons, settings)
    torch.manual_seed(settings.seed)
    pupil = Pupil(settings.architecture, [plan.classes(lesson) for lesson in lessons])
    pupil.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(_groups(pupil), lr=settings.learning_rate)
    resume = folder / f"{settings.name}.resume.pt"
    identity = sha256_json([settings.model_dump(), [found.dataset.sha256 for found in lessons]])
    first, clock = _restore(resume, pupil, optimiser, identity)
    reporter.phase("pretrain", f"Training {settings.title} on {plan.images:,} images")
    pupil.train()
    for step in range(first, plan.steps):
        if reporter.stop_requested():
            _save(resume, pupil, optimiser, identity, step, clock())
            raise Stopped
        for group in optimiser.param_groups:
            group["lr"] = plan.rate(step)
        loss, parts = _loss(pupil, plan, step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)
        optimiser.step()
        epoch = step / plan.steps_per_epoch
        for name, value in {"loss": loss.detach(), **parts}.items():
            reporter.metric(name, float(value), step=step, epoch=epoch)
        reporter.progress(step + 1, plan.steps)
        if (step + 1) % plan.steps_per_epoch == 0:
            _save(resume, pupil, optimiser, identity, step + 1, clock())
    seconds, processor_seconds = clock()
    compute = {
        "steps": plan.steps,
        "seconds": round(seconds),
        "processor_seconds": round(processor_seconds),
    }
    spec = write_teacher(pupil.backbone, lessons, settings, folder, compute)
    resume.unlink(missing_ok=True)
    return spec


class _Plan:
    """Which images each step shows, in which views, at which rate."""

    def __init__(self, lessons: Sequence[Lesson], settings: PretrainSettings) -> None:
        self.lessons = lessons
        self.settings = settings
        self.frames = [lesson.dataset.usable() for lesson in lessons]
        self.targets = [
            torch.from_numpy(lesson.dataset.targets(frame))
            if lesson.dataset.classes
            else torch.empty(0)
            for lesson, frame in zip(lessons, self.frames, strict=True)
        ]
        self.index = np.concatenate(
            [
                np.stack([np.full(len(frame), which), np.arange(len(frame))], axis=1)
                for which, frame in enumerate(self.frames)
            ]
        )
        self.images = len(self.index)
        self.steps_per_epoch = self.images // settings.batch
        self.steps = self.steps_per_epoch * settings.epochs
        if not self.steps:
            raise TrainingError(
                "T30",
                f"{self.images} images are too few for one batch of {settings.batch}",
                todo="Add images or choose a smaller batch.",
            )

    def classes(self, lesson: Lesson) -> int:
        return len(lesson.dataset.classes)

    def rate(self, step: int) -> float:
        warm = max(1, self.steps // 20)
        if step < warm:
            return self.settings.learning_rate * (step + 1) / warm
        done = (step - warm) / max(1, self.steps - warm)
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def batch(self, step: int) -> np.ndarray:
        """``[B, 2]`` int: data set and row of every image of the step."""
        epoch, offset = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(self.images)
        return self.index[order[offset * self.settings.batch : (offset + 1) * self.settings.batch]]

    def views(self, rows: np.ndarray, step: int) -> Iterator[Tensor]:
        """The two views of the step: each ``[B, 3, S, S]`` float32, normalised."""
        side = self.settings.train_px
        epoch = step // self.steps_per_epoch
        for view in (2 * epoch, 2 * epoch + 1):
            shown = torch.empty(len(rows), 3, side, side).to(memory_format=torch.channels_last)
            for which in np.unique(rows[:, 0]):
                here = np.flatnonzero(rows[:, 0] == which)
                frame = self.frames[which].iloc[rows[here, 1]]
                images = self.lessons[which].cache.values(frame["row"].to_numpy())
                drawn = draw_views(
                    self.settings.seed, frame["image"].tolist(), [view] * len(here), "strong"
                )
                shown[here] = apply_views(images, drawn, side)
            yield (shown - GREY[0]) / QUARTER[0]


def _loss(pupil: Pupil, plan: _Plan, step: int) -> tuple[Tensor, dict[str, Tensor]]:
    rows = plan.batch(step)
    with torch.autocast("cpu", torch.bfloat16):
        features, projections = pupil(torch.cat(list(plan.views(rows, step))))
    contrast = nt_xent(*projections.chunk(2))
    terms = []
    for which, lesson in enumerate(plan.lessons):
        here = torch.from_numpy(np.flatnonzero(rows[:, 0] == which))
        if not len(here) or not lesson.dataset.classes:
            continue
        target = plan.targets[which][torch.from_numpy(rows[here.numpy(), 1])].repeat(
            2, *[1] * (plan.targets[which].ndim - 1)
        )
        logits = pupil.heads[which](features[torch.cat([here, here + len(rows)])].float())
        multilabel = lesson.dataset.task is Task.MULTILABEL
        loss = (
            F.binary_cross_entropy_with_logits(logits, target)
            if multilabel
            else F.cross_entropy(logits, target, label_smoothing=0.1)
        )
        terms.append(loss * len(here) / len(rows))
    supervised = torch.stack(terms).sum() if terms else torch.zeros(())
    total = contrast + plan.settings.supervision * supervised
    return total, {"loss/contrast": contrast.detach(), "loss/supervised": supervised.detach()}


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
