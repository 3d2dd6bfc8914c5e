"""What predicts a teacher's feature map from the student's, for hints."""

from __future__ import annotations

from torch import Tensor, nn

from core.training.reprogram import convolution, match_grid


class Regressor(nn.Module):
    """The student's map at the teacher's grid, a 1x1 convolution to its channels and a norm.

    Tokens come as maps, so any student can be regressed to any teacher.

    Args:
        student: Channels of the student's map.
        teacher: Channels of the teacher's map.
        grid: Height and width of the teacher's map.
    """

    def __init__(self, student: int, teacher: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.map = convolution(student, teacher, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C_s, H, W]`` of the student to ``[B, C_t, h, w]`` of the teacher."""
        regressed: Tensor = self.map(match_grid(features, self.grid))
        return regressed
