"""Relational knowledge distillation: distances and angles (Park et al. 2019, arXiv 1904.05068)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from core.config_method import MethodSettings
from core.objectives.base import OBJECTIVES, StepOutputs

FLOOR = 1e-12


def distances(features: Tensor) -> Tensor:
    """Distances between the rows of ``[B, D]``, ``[B, B]``, in units of their mean."""
    squares = (features[:, None] - features[None]).square().sum(dim=2)
    apart = squares.clamp_min(FLOOR).sqrt() * (squares > FLOOR)
    return apart / apart.sum().clamp_min(FLOOR) * (apart > 0).sum()


def angles(features: Tensor) -> Tensor:
    """Cosine of the angle at j between i and k for the rows of ``[B, D]``, ``[B, B, B]``."""
    rays = F.normalize(features[None] - features[:, None], dim=2, eps=FLOOR)
    return rays @ rays.transpose(1, 2)


class Distances:
    """L_D: Huber loss between the tables of distances of pooled features."""

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor:
        """Averaged over the pairs, summed over the stages in use."""
        return _compare(outputs, distances)

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """Constant."""
        return settings.rkd_distance


class Angles:
    """L_A: Huber loss between the tables of angles of pooled features."""

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor:
        """Averaged over the triples, summed over the stages in use."""
        return _compare(outputs, angles)

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """Constant."""
        return settings.rkd_angle


def _compare(outputs: StepOutputs, relation: Callable[[Tensor], Tensor]) -> Tensor:
    pairs = zip(outputs.student, outputs.teacher, strict=True)
    terms = [F.smooth_l1_loss(relation(own), relation(f_t.mean((2, 3)))) for own, f_t in pairs]
    return torch.stack(terms).sum()


OBJECTIVES.register("rkd_distance", __name__)(Distances())
OBJECTIVES.register("rkd_angle", __name__)(Angles())
