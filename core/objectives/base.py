"""What one training step produces, and what an objective makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from core.config import MethodSettings
from core.registry import Registry
from core.types import Task


@dataclass(frozen=True)
class StepOutputs:
    """Everything a loss may look at, all in float32.

    Attributes:
        task: One class per image, or any number of findings.
        targets: ``[B]`` int64 class indices, or ``[B, C]`` float32 in {0, 1}.
        class_weights: ``[C]`` weights of the classes (multiclass) or of the positives (multilabel).
        logits: ``[B, C]`` of the student's own pass.
        hybrid: For each stage in use, ``[B, C]`` logits of the reprogrammed teacher: its map there,
            finished by the student's later stages and its classifier.
        student: For each stage in use, the student's map averaged over space, ``[B, C_i]``.
        reprogrammed: For each stage in use, phi's map averaged over space, ``[B, C_i]``.
    """

    task: Task
    targets: Tensor
    class_weights: Tensor
    logits: Tensor
    hybrid: list[Tensor]
    student: list[Tensor]
    reprogrammed: list[Tensor]


class Objective(Protocol):
    """One term of the loss."""

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor | None:
        """The term before its weight, a scalar; nothing where it is undefined for this batch."""

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """Its weight at `progress` in [0, 1] of training."""


OBJECTIVES: Registry[Objective] = Registry("objective", "core.objectives")
