"""Learning from folders of images: to know an image again, and its labels where it has some.

- *Instance discrimination* on all images (SimCLR, Chen et al. 2020, arXiv 2002.05709): two strong
  views of an image must find each other among the views of the batch (NT-Xent loss).
- *Classification* where a folder has labels: one linear head per folder, cross-entropy for classes
  and binary cross-entropy for findings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.data.augment import apply_views, draw_views
from core.errors import TrainingError
from core.teachers.pretrain_card import GREY, QUARTER
from core.teachers.pretrain_recipe import Lesson, PretrainSettings
from core.types import Task

PROJECTION = 128
TEMPERATURE = 0.2


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


class ImageCourse(nn.Module):
    """Two views of every image of a step, and what they are compared with.

    Args:
        lessons: The folders.
        settings: The recipe.
        width: Number of features of the network.

    Raises:
        TrainingError: T30, there are fewer images than one batch; T32, nothing is to be learned.
    """

    def __init__(self, lessons: Sequence[Lesson], settings: PretrainSettings, width: int) -> None:
        super().__init__()
        self.projection = nn.Sequential(
            nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, PROJECTION)
        )
        self.heads = nn.ModuleList(
            nn.Linear(width, max(len(lesson.dataset.classes), 1)) for lesson in lessons
        )
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
        labelled = settings.supervision and any(lesson.dataset.classes for lesson in lessons)
        if not (settings.contrast or labelled):
            raise TrainingError(
                "T32",
                "The recipe leaves nothing to learn: no image is to be known again, and no label "
                "counts",
                todo="Give 'contrast' a weight, or 'supervision' where the images have labels.",
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

    def loss(self, backbone: nn.Module, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a step, and its terms by name."""
        rows = self.batch(step)
        with torch.autocast("cpu", torch.bfloat16):
            features = backbone(torch.cat(list(self.views(rows, step))))
            projections = F.normalize(self.projection(features).float(), dim=1)
        first, second = projections.chunk(2)
        contrast = nt_xent(first, second)
        terms = [
            self._supervised(which, rows, features) * float((rows[:, 0] == which).mean())
            for which in np.unique(rows[:, 0])
            if self.lessons[which].dataset.classes
        ]
        supervised = torch.stack(terms).sum() if terms else torch.zeros(())
        settings = self.settings
        total = settings.contrast * contrast + settings.supervision * supervised
        return total, {"loss/contrast": contrast.detach(), "loss/supervised": supervised.detach()}

    def _supervised(self, which: int, rows: np.ndarray, features: Tensor) -> Tensor:
        here = torch.from_numpy(np.flatnonzero(rows[:, 0] == which))
        known = self.targets[which][torch.from_numpy(rows[here.numpy(), 1])]
        target = torch.cat([known, known])
        logits = self.heads[which](features[torch.cat([here, here + len(rows)])].float())
        if self.lessons[which].dataset.task is Task.MULTILABEL:
            return F.binary_cross_entropy_with_logits(logits, target)
        return F.cross_entropy(logits, target, label_smoothing=0.1)

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
