"""The task loss of the reprogrammed teacher, L_hybrid = sum over stages of CE(g(phi(f_t)), y)."""

from __future__ import annotations

import torch
from torch import Tensor

from core.config_method import MethodSettings
from core.objectives.base import OBJECTIVES, StepOutputs


class Cotraining:
    """Trains phi and the shared classifier on the teacher's features (Zhou et al. 2024)."""

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor:
        """Task losses of the hybrid logits, summed over the stages in use."""
        return torch.stack([outputs.task_loss(logits) for logits in outputs.hybrid]).sum()

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """Falls linearly; alpha in the papers."""
        return settings.hybrid.at(progress)


OBJECTIVES.register("hybrid", __name__)(Cotraining())
