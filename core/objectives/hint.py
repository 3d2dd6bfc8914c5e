"""Hint and guidance: how well the student's map predicts the teacher's.

FitNets, Romero et al. 2015, arXiv 1412.6550.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.config_method import MethodSettings
from core.objectives.base import OBJECTIVES, StepOutputs


class Hint:
    """L = ||reg(f_s) - f_t||^2 / ||f_t||^2, averaged over the stages in use.

    The paper's mean squared error, in units of the teacher's own mean square: features of one
    foundation model are a hundred times larger than another's, and one weight has to suit both.
    """

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor:
        """Relative squared error; 1 for a regressor that answers 0."""
        return torch.stack(outputs.errors).mean()

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """Constant."""
        return settings.hint


class Guidance(Hint):
    """The same at every stage, strong at first and gone later: FitNets' two phases made one.

    DRD as published has no such term. It leads a student that starts from nothing to features worth
    having, and then leaves it to the labels.
    """

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """Falls linearly."""
        return settings.guidance.at(progress)


OBJECTIVES.register("hint", __name__)(Hint())
OBJECTIVES.register("guidance", __name__)(Guidance())
