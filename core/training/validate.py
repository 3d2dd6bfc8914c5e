"""What is measured on the validation images at the end of each epoch. Never on the test images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.data.augment import clean_view
from core.data.cache import PixelCache
from core.data.manifest import Dataset
from core.errors import TrainingError
from core.evaluation.metrics import auroc
from core.memory import within_memory
from core.objectives.cka import UnbiasedCka
from core.teachers.features import Features
from core.training.model import DistillationModel
from core.types import SplitName, Task

BATCH = 64
PROBE = 2048  # images of the fixed set on which CKA is measured


@dataclass(frozen=True)
class Validated:
    """Figures of one epoch; one that cannot be computed is NaN.

    Attributes:
        auroc: Mean over the classes, one against the rest, of those that have both kinds of images.
        loss: Unweighted task loss.
        cka_reprogrammed: Unbiased CKA(phi(f_t), f_s) at the last stage, where there is a phi.
        cka_teacher: Unbiased CKA(f_t, f_s), which phi cannot raise.
    """

    auroc: float
    loss: float
    cka_reprogrammed: float
    cka_teacher: float

    @property
    def figure(self) -> float:
        """What the best checkpoint is chosen by: AUROC, or minus the loss where there is none."""
        return self.auroc if np.isfinite(self.auroc) else -self.loss


class Validation:
    """The clean validation images, always in the same order and in float32.

    Args:
        dataset: Manifest with splits.
        cache: Its pixels.
        image_px: Side of the student's pictures.
        features: The teacher's features, where the method has a teacher.
    """

    def __init__(
        self, dataset: Dataset, cache: PixelCache, image_px: int, features: Features | None
    ) -> None:
        frame = dataset.part(SplitName.VALIDATION)
        self._rows = frame["row"].to_numpy()
        self._targets = torch.from_numpy(dataset.targets(frame))
        self._task = dataset.task
        self._cache = cache
        self._image_px = image_px
        self._features = features
        self._batch = BATCH

    @torch.no_grad()
    def measure(self, model: DistillationModel, device: torch.device) -> Validated:
        """Measure `model`, which is left in training mode.

        Raises:
            TrainingError: The memory is too small even for one image (T44).
        """
        model.eval()
        found = within_memory(lambda: self._measure(model, device), self._halve)
        model.train()
        return found

    def _halve(self) -> None:
        if self._batch == 1:
            raise TrainingError(
                "T44",
                "The memory is too small to look at one image",
                todo="Choose a smaller student or smaller pictures, or close other programs.",
            )
        self._batch //= 2

    def _measure(self, model: DistillationModel, device: torch.device) -> Validated:
        logits: list[Tensor] = []
        reprogrammed, teacher = UnbiasedCka(), UnbiasedCka()
        for start in range(0, len(self._rows), self._batch):
            rows = self._rows[start : start + self._batch]
            images = clean_view(self._cache.images(rows), self._image_px).to(device)
            maps = model.student.encode(images)
            logits.append(model.student.tail(maps[-1], len(maps) - 1).float().cpu())
            if self._features is not None and start < PROBE:
                found = self._features.clean(np.arange(start, start + len(rows)))[-1].to(device)
                own = maps[-1].mean((2, 3))
                for phi in list(model.phi)[-1:]:
                    reprogrammed.add(phi(found).mean((2, 3)), own)
                teacher.add(found.mean((2, 3)), own)
        return self._figures(torch.cat(logits), reprogrammed, teacher)

    def _figures(
        self, logits: Tensor, reprogrammed: UnbiasedCka, teacher: UnbiasedCka
    ) -> Validated:
        if self._task is Task.MULTILABEL:
            loss = F.binary_cross_entropy_with_logits(logits, self._targets)
            present, scores = self._targets.numpy() > 0, logits.sigmoid().numpy()
        else:
            loss = F.cross_entropy(logits, self._targets)
            present = F.one_hot(self._targets, logits.shape[1]).numpy() > 0
            scores = logits.softmax(dim=1).numpy()
        areas = [auroc(present[:, c], scores[:, c]) for c in range(scores.shape[1])]
        finite = [area for area in areas if area is not None and np.isfinite(area)]
        return Validated(
            auroc=float(np.mean(finite)) if finite else float("nan"),
            loss=float(loss),
            cka_reprogrammed=reprogrammed.value(),
            cka_teacher=teacher.value(),
        )
