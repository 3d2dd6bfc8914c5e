"""What one training step produces, and what an objective makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor
from torch.nn import functional as F

from core.config_method import MethodSettings
from core.registry import Registry
from core.types import Task


@dataclass(frozen=True)
class StepOutputs:
    """Everything a loss may look at, all in float32.

    What a method does not use (`methods.Method.uses`) is not computed: those lists are empty.

    Attributes:
        task: One class per image, or any number of findings.
        targets: ``[B]`` int64 class indices, or ``[B, C]`` float32 in {0, 1}.
        class_weights: ``[C]`` weights of the classes (multiclass) or of the positives (multilabel).
        logits: ``[B, C]`` of the student's own pass.
        hybrid: For each stage in use, ``[B, C]`` logits of the reprogrammed teacher: its map there,
            finished by the student's later stages and its classifier.
        student: For each stage in use, the student's map averaged over space, ``[B, C_i]``.
        reprogrammed: For each stage in use, phi's map averaged over space, ``[B, C_i]``.
        maps: For each stage in use, the student's map as it is, ``[B, C_i, H_i, W_i]``.
        errors: For each stage in use, the relative squared error of the teacher's map predicted
            from the student's, a scalar.
        teacher: For each stage in use, the frozen teacher's map, ``[B, C_t, h, w]``.
        answers: ``[B, C]`` logits of the teacher's linear probe for the same views.
    """

    task: Task
    targets: Tensor
    class_weights: Tensor
    logits: Tensor
    hybrid: list[Tensor] = field(default_factory=list)
    student: list[Tensor] = field(default_factory=list)
    reprogrammed: list[Tensor] = field(default_factory=list)
    maps: list[Tensor] = field(default_factory=list)
    errors: list[Tensor] = field(default_factory=list)
    teacher: list[Tensor] = field(default_factory=list)
    answers: Tensor | None = None

    def task_loss(self, logits: Tensor) -> Tensor:
        """The task loss of these logits, ``[B, C]`` float32."""
        return task_loss(logits, self.targets, self.task, self.class_weights)


def task_loss(logits: Tensor, targets: Tensor, task: Task, class_weights: Tensor) -> Tensor:
    """Cross-entropy of one class per image, or binary cross-entropy of several findings.

    Args:
        logits: ``[B, C]`` float32.
        targets: ``[B]`` int64, or ``[B, C]`` float32 zeros and ones.
        task: Which of the two.
        class_weights: ``[C]`` float32; see `core.training.batches.class_weights`.

    Returns:
        Scalar, averaged over the batch.
    """
    if task is Task.MULTILABEL:
        return F.binary_cross_entropy_with_logits(logits, targets, pos_weight=class_weights)
    return F.cross_entropy(logits, targets, weight=class_weights)


class Objective(Protocol):
    """One term of the loss."""

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor | None:
        """The term before its weight, a scalar; nothing where it is undefined for this batch."""

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """Its weight at `progress` in [0, 1] of training."""


OBJECTIVES: Registry[Objective] = Registry("objective", "core.objectives")
