"""The student's own task loss, L_sup = CE(g(f_s), y)."""

from __future__ import annotations

from torch import Tensor

from core.config_method import MethodSettings
from core.objectives.base import OBJECTIVES, StepOutputs
from core.objectives.methods import find_method


class Supervised:
    """The task loss of the student's own pass."""

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor:
        """Task loss of the student's logits."""
        return outputs.task_loss(outputs.logits)

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """1, to which the other weights are relative; with KD what that leaves to the labels."""
        return 1 - settings.kd if "kd" in find_method(settings.name).terms else 1.0


OBJECTIVES.register("task", __name__)(Supervised())
