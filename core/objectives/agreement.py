"""How far the student's answer is from the reprogrammed teacher's, by the same classifier."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from core.config_method import MethodSettings
from core.objectives.base import OBJECTIVES, StepOutputs
from core.types import Task


def divergence(teacher: Tensor, student: Tensor, task: Task, temperature: float) -> Tensor:
    """How far the student's answer is from the teacher's.

    Args:
        teacher: ``[B, C]`` logits, the target.
        student: ``[B, C]`` logits, the prediction.
        task: Several findings are compared finding by finding, classes as one distribution.
        temperature: T; the result is multiplied by T^2 (Hinton et al. 2015).

    Returns:
        T^2 KL(softmax(teacher/T) || softmax(student/T)), averaged over the batch; for findings the
        mean of the same for each Bernoulli variable. 0 where both agree.
    """
    if task is Task.MULTILABEL:
        both = [
            torch.stack([logits, torch.zeros_like(logits)], -1) for logits in (teacher, student)
        ]
        teacher, student = (logits.flatten(0, 1) for logits in both)
    target = F.log_softmax(teacher / temperature, dim=1)
    answer = F.log_softmax(student / temperature, dim=1)
    return F.kl_div(answer, target, reduction="batchmean", log_target=True) * temperature**2


class Agreement:
    """L_KD: the hybrid logits teach the student's, and learn from them unless detached."""

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor:
        """Divergences summed over the stages in use."""
        targets = [z.detach() if settings.detach_hybrid else z for z in outputs.hybrid]
        terms = [
            divergence(target, outputs.logits, outputs.task, settings.temperature)
            for target in targets
        ]
        return torch.stack(terms).sum()

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """Falls linearly; beta in the papers."""
        return settings.agreement.at(progress)


OBJECTIVES.register("agreement", __name__)(Agreement())
