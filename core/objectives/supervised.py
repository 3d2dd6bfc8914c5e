"""The student's own task loss, L_sup = CE(g(f_s), y)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from core.config_method import MethodSettings
from core.objectives.base import OBJECTIVES, StepOutputs
from core.objectives.methods import find_method
from core.types import Task


def task_loss(logits: Tensor, outputs: StepOutputs) -> Tensor:
    """Cross-entropy of one class per image, or binary cross-entropy of several findings.

    Args:
        logits: ``[B, C]`` float32.
        outputs: Gives targets, task and class weights.

    Returns:
        Scalar, averaged over the batch.
    """
    if outputs.task is Task.MULTILABEL:
        return F.binary_cross_entropy_with_logits(
            logits, outputs.targets, pos_weight=outputs.class_weights
        )
    return F.cross_entropy(logits, outputs.targets, weight=outputs.class_weights)


class Supervised:
    """The task loss of the student's own pass."""

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor:
        """Task loss of the student's logits."""
        return task_loss(outputs.logits, outputs)

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """1, to which the other weights are relative; with KD what that leaves to the labels."""
        return 1 - settings.kd if "kd" in find_method(settings.name).terms else 1.0


OBJECTIVES.register("task", __name__)(Supervised())
