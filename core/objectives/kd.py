"""Knowledge distillation from the teacher's linear probe (Hinton et al. 2015, arXiv 1503.02531)."""

from __future__ import annotations

from torch import Tensor

from core.config_method import MethodSettings
from core.objectives.agreement import divergence
from core.objectives.base import OBJECTIVES, StepOutputs


class LogitDistillation:
    """L = (1 - a) CE(z_s, y) + a T^2 KL(softmax(z_t/T) || softmax(z_s/T)), here the second term.

    A foundation model has no classifier for the user's labels; z_t is the answer of a linear probe
    on the frozen teacher, fitted to the training images beforehand. Findings are compared one by
    one, as Bernoulli variables.
    """

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor:
        """Divergence of the student's logits from the teacher's."""
        assert outputs.answers is not None  # the method uses the probe
        return divergence(outputs.answers, outputs.logits, outputs.task, settings.kd_temperature)

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """a, constant; `supervised` leaves the labels 1 - a."""
        return settings.kd


OBJECTIVES.register("kd", __name__)(LogitDistillation())
