"""Which images a step shows, in which view, with which teacher features.

Everything is a function of (seed, epoch, image id) or (seed, step); nothing is carried along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from core.config import TrainSettings
from core.data.augment import draw_views, view_for_epoch
from core.data.cache import PixelCache
from core.data.manifest import Dataset
from core.errors import TrainingError
from core.teachers.features import Features
from core.teachers.probe import LinearProbe
from core.training.pictures import Pictures
from core.types import SplitName, Task


@dataclass(frozen=True)
class Batch:
    """One step's worth.

    Attributes:
        images: ``[B, C, S, S]`` float32 in [0, 1], the view the student sees.
        targets: ``[B]`` int64 or ``[B, C]`` float32.
        teacher_maps: For each stage in use, the teacher's map of the same view; may be empty.
        answers: ``[B, C]`` logits of the teacher's linear probe for the same view, if it has one.
    """

    images: Tensor
    targets: Tensor
    teacher_maps: list[Tensor]
    answers: Tensor | None = None

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of it."""
        answers = () if self.answers is None else (self.answers,)
        return (self.images, self.targets, *answers, *self.teacher_maps)

    def pinned(self) -> Batch:
        """The same, what is in ordinary memory moved to where a graphics card can fetch it."""
        return self._each(lambda tensor: tensor if tensor.is_cuda else tensor.pin_memory())

    def to(self, device: torch.device) -> Batch:
        """The same on `device`, pictures and maps with their channels last."""
        return self._each(lambda tensor: _channels_last(tensor.to(device, non_blocking=True)))

    def parts(self, count: int) -> list[Batch]:
        """The same in `count` parts, as equal as can be."""
        if count == 1:
            return [self]
        pieces = [tensor.tensor_split(count) for tensor in self.tensors]
        return [self._made_of(tensors) for tensors in zip(*pieces, strict=True)]

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        return self._made_of(map(change, self.tensors))

    def _made_of(self, tensors: Iterable[Tensor]) -> Batch:
        """A batch with the same parts as this one."""
        images, targets, *rest = tensors
        answers = None if self.answers is None else rest.pop(0)
        return Batch(images, targets, rest, answers)


class TrainingBatches:
    """The training images in their order.

    Args:
        dataset: Manifest with splits.
        cache: Its pixels.
        settings: Batch size, seed and kind of views.
        image_px: Side of the student's pictures.
        features: The teacher's features, or nothing for a method without a teacher, which then
            gets a fresh view of each image in every epoch.
        device: Where the networks are.
        probe: The teacher's linear probe, for a method that learns from its answers.

    Raises:
        TrainingError: There are fewer than two training images (T05).
    """

    def __init__(
        self,
        dataset: Dataset,
        cache: PixelCache,
        settings: TrainSettings,
        image_px: int,
        features: Features | None,
        device: torch.device,
        probe: LinearProbe | None = None,
    ) -> None:
        self._frame = dataset.part(SplitName.TRAIN)
        self._ids = self._frame["image"].to_numpy()
        self._targets = torch.from_numpy(dataset.targets(self._frame))
        self._settings = settings
        self._features = features
        self._probe = probe
        if len(self._frame) < 2:
            raise TrainingError(
                "T05",
                f"{len(self._frame)} training images are too few",
                todo="Add images or give validation and test smaller shares.",
            )
        self.batch_size = min(settings.batch, len(self._frame))
        # the last, smaller batch of an epoch is left out; the order differs in every epoch
        self.steps_per_epoch = len(self._frame) // self.batch_size
        self._pictures = Pictures(cache, self._frame["row"].to_numpy(), image_px, device)

    def __len__(self) -> int:
        return len(self._frame)

    def positions(self, step: int) -> np.ndarray:
        """Positions, among the training images, of those that step `step` shows."""
        epoch, offset = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self._settings.seed, epoch]).permutation(len(self._frame))
        return order[offset * self.batch_size : (offset + 1) * self.batch_size]

    def batch(self, step: int) -> Batch:
        """What step `step` shows."""
        positions = self.positions(step)
        epoch = step // self.steps_per_epoch
        ids = self._ids[positions].tolist()
        seed = self._settings.seed
        if self._features is None:
            views = [epoch] * len(ids)
            maps: list[Tensor] = []
        else:
            views = [view_for_epoch(seed, image, epoch, self._features.views) for image in ids]
            maps = self._features.seen(positions, np.array(views))
        drawn = draw_views(seed, ids, views, self._settings.augment)
        return Batch(
            self._pictures.seen(positions, drawn),
            self._targets[torch.from_numpy(positions)],
            maps,
            self._answers(maps),
        )

    def _answers(self, maps: list[Tensor]) -> Tensor | None:
        if self._probe is None:
            return None
        return torch.from_numpy(self._probe.logits(maps[-1].mean((2, 3)).numpy())).float()


def _channels_last(tensor: Tensor) -> Tensor:
    if tensor.ndim != 4:
        return tensor
    return tensor.contiguous(memory_format=torch.channels_last)


def class_weights(frame: pd.DataFrame, dataset: Dataset, balance: bool) -> Tensor:
    """Weights that let rare classes count as much as frequent ones.

    Args:
        frame: Training rows.
        dataset: Gives classes and task.
        balance: Otherwise every class weighs 1.

    Returns:
        ``[C]`` float32: inverse frequency with mean 1 over the images (multiclass), or the ratio of
        negatives to positives, at most 20 (multilabel). A class without images weighs 1: it cannot
        be learned, but must not make the loss infinite.
    """
    targets = dataset.targets(frame)
    count = len(dataset.classes)
    if not balance:
        return torch.ones(count)
    if dataset.task is Task.MULTILABEL:
        positive = targets.sum(axis=0)
        ratio = np.where(positive > 0, (len(targets) - positive) / np.maximum(positive, 1), 1.0)
        return torch.from_numpy(np.clip(ratio, 0.05, 20.0)).float()
    frequency = np.bincount(targets, minlength=count)
    weights = np.where(frequency > 0, len(targets) / (count * np.maximum(frequency, 1)), 1.0)
    return torch.from_numpy(weights).float()
