"""Similarity-preserving distillation (Tung and Mori 2019, arXiv 1907.09682)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from core.config_method import MethodSettings
from core.objectives.base import OBJECTIVES, StepOutputs


def similarities(features: Tensor) -> Tensor:
    """``[B, B]`` inner products of ``[B, ...]`` maps, every row divided by its length."""
    rows = features.flatten(1)
    return F.normalize(rows @ rows.T, dim=1)


class SimilarityPreserving:
    """L = ||G_s - G_t||_F^2 / B^2, G the batch's row-normalised similarities.

    Summed over the stages in use.
    """

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor:
        """Squared distance of the two tables of similarities."""
        pairs = zip(outputs.maps, outputs.teacher, strict=True)
        terms = [
            (similarities(own) - similarities(teacher)).square().mean() for own, teacher in pairs
        ]
        return torch.stack(terms).sum()

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """Constant."""
        return settings.sp


OBJECTIVES.register("sp", __name__)(SimilarityPreserving())
