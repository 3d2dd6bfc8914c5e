"""phi: what turns a teacher's feature map into one the student's later stages can go on with."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

NARROWING = 4  # the 3x3 convolution runs on a quarter of the channels (He et al. 2016)


class Reprogram(nn.Module):
    """Base: brings a map to the student's channels and grid.

    Args:
        teacher: Channels of the teacher's map.
        student: Channels of the student's map.
        grid: Height and width of the student's map.
        positive: Whether the student's maps are never negative (they end in a ReLU).
    """

    def __init__(self, teacher: int, student: int, grid: tuple[int, int], positive: bool) -> None:
        super().__init__()
        self.grid = grid
        self.end = nn.ReLU() if positive else nn.Identity()

    def fit(self, features: Tensor) -> Tensor:
        """Average into fewer cells, or interpolate to more."""
        height, width = features.shape[-2:]
        if (height, width) == self.grid:
            return features
        if height >= self.grid[0] and width >= self.grid[1]:
            return F.adaptive_avg_pool2d(features, self.grid)
        return F.interpolate(features, self.grid, mode="bilinear", align_corners=False)


class ResidualReprogram(Reprogram):
    """One residual bottleneck block, as in RD: a linear map of the teacher plus a correction.

    With `C_s` the student's channels: 1x1 to C_s/4, 3x3, 1x1 to C_s, beside a 1x1 shortcut. The
    narrow middle keeps its cost to about 2 % of a ResNet-18's.
    """

    def __init__(self, teacher: int, student: int, grid: tuple[int, int], positive: bool) -> None:
        super().__init__(teacher, student, grid, positive)
        middle = max(16, student // NARROWING)
        self.reduce = _convolution(teacher, middle, 1)
        self.mix = nn.Sequential(
            nn.ReLU(), _convolution(middle, middle, 3), nn.ReLU(), _convolution(middle, student, 1)
        )
        self.shortcut = _convolution(teacher, student, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C_t, h, w]`` of the teacher to ``[B, C_s, H, W]`` of the student."""
        features = self.fit(features)
        mapped: Tensor = self.end(self.shortcut(features) + self.mix(self.reduce(features)))
        return mapped


class ProjectorReprogram(Reprogram):
    """Three convolutions, as in DRD: 1x1 to the student's channels, 3x3, 1x1."""

    def __init__(self, teacher: int, student: int, grid: tuple[int, int], positive: bool) -> None:
        super().__init__(teacher, student, grid, positive)
        self.reduce = nn.Sequential(_convolution(teacher, student, 1), nn.ReLU())
        self.mix = nn.Sequential(
            _convolution(student, student, 3), nn.ReLU(), _convolution(student, student, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C_t, h, w]`` of the teacher to ``[B, C_s, H, W]`` of the student."""
        mapped: Tensor = self.end(self.mix(self.fit(self.reduce(features))))
        return mapped


def _convolution(inputs: int, outputs: int, size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False), nn.BatchNorm2d(outputs)
    )
