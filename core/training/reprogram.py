"""phi: what turns a teacher's feature map into one the student's later stages can go on with."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from core.tensors import shrink_map

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


def match_grid(features: Tensor, grid: tuple[int, int]) -> Tensor:
    """Bring ``[B, C, h, w]`` to another grid: average into fewer cells, or interpolate to more."""
    height, width = features.shape[-2:]
    if (height, width) == grid:
        return features
    if height >= grid[0] and width >= grid[1]:
        return shrink_map(features, grid)
    return F.interpolate(features, grid, mode="bilinear", align_corners=False)


class ResidualReprogram(Reprogram):
    """One residual bottleneck block, as in RD: a linear map of the teacher plus a correction.

    With `C_s` the student's channels: 1x1 to C_s/4, 3x3, 1x1 to C_s, beside a 1x1 shortcut. The
    narrow middle keeps its cost to about 2 % of a ResNet-18's.
    """

    def __init__(self, teacher: int, student: int, grid: tuple[int, int], positive: bool) -> None:
        super().__init__(teacher, student, grid, positive)
        middle = max(16, student // NARROWING)
        self.reduce = convolution(teacher, middle, 1)
        self.mix = nn.Sequential(
            nn.ReLU(), convolution(middle, middle, 3), nn.ReLU(), convolution(middle, student, 1)
        )
        self.shortcut = convolution(teacher, student, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C_t, h, w]`` of the teacher to ``[B, C_s, H, W]`` of the student."""
        features = match_grid(features, self.grid)
        mapped: Tensor = self.end(self.shortcut(features) + self.mix(self.reduce(features)))
        return mapped


class ProjectorReprogram(Reprogram):
    """Three convolutions, as in DRD: 1x1 to the student's channels, 3x3, 1x1.

    They run on the smaller of the two grids: a student's early stages are finer than any teacher's
    map, and what is interpolated holds nothing that was not there before.
    """

    def __init__(self, teacher: int, student: int, grid: tuple[int, int], positive: bool) -> None:
        super().__init__(teacher, student, grid, positive)
        self.reduce = nn.Sequential(convolution(teacher, student, 1), nn.ReLU())
        self.mix = nn.Sequential(
            convolution(student, student, 3), nn.ReLU(), convolution(student, student, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C_t, h, w]`` of the teacher to ``[B, C_s, H, W]`` of the student."""
        height, width = (min(pair) for pair in zip(features.shape[-2:], self.grid, strict=True))
        mapped = self.mix(match_grid(self.reduce(features), (height, width)))
        return match_grid(self.end(mapped), self.grid)


def convolution(inputs: int, outputs: int, size: int) -> nn.Sequential:
    """A convolution that keeps the grid, and a batch norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False), nn.BatchNorm2d(outputs)
    )
