"""What predicts a teacher's feature map from the student's, and how far it errs."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from core.tensors import at_least_float32
from core.training.reprogram import convolution, match_grid

FLOOR = 1e-12


class Regressor(nn.Module):
    """The student's map at the teacher's grid, a 1x1 convolution to its channels and a norm.

    Tokens come as maps, so any student can be regressed to any teacher. The prediction itself is
    never made: the error of a linear map with a norm follows from second moments, which for a
    teacher of many channels takes a fraction of the time.

    Args:
        student: Channels of the student's map.
        teacher: Channels of the teacher's map.
        grid: Height and width of the teacher's map.
    """

    def __init__(self, student: int, teacher: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.map = convolution(student, teacher, 1)

    def forward(self, features: Tensor, target: Tensor) -> Tensor:
        """The relative squared error, ||reg(f_s) - f_t||^2 / ||f_t||^2, of a whole batch.

        Args:
            features: ``[B, C_s, H, W]`` of the student.
            target: ``[B, C_t, h, w]`` of the teacher.

        Returns:
            Scalar, no less exact than float32; 1 for a prediction of 0.
        """
        kernel, norm = cast(tuple[nn.Conv2d, nn.BatchNorm2d], tuple(self.map))
        with torch.autocast(features.device.type, enabled=False):
            own, taught = (
                at_least_float32(each).permute(0, 2, 3, 1).flatten(0, 2)
                for each in (match_grid(features, self.grid), target)
            )
            own = own - own.mean(dim=0)
            weight = kernel.weight.flatten(1)
            variance = (weight @ (own.T @ own) * weight).sum(dim=1) / len(own)
            covariance = (taught.T @ own * weight).sum(dim=1) / len(own)
            scale = norm.weight / (variance + norm.eps).sqrt()
            predicted = scale.square() * variance + norm.bias.square()
            product = scale * covariance + norm.bias * taught.mean(dim=0)
            power = torch.linalg.vector_norm(taught, dim=1).square().mean() / taught.shape[1]
            error = (predicted - 2 * product).mean() + power
            relative: Tensor = error / power.clamp_min(FLOOR)
            return relative
