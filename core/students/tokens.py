"""The parts of a vision transformer as a chain of maps: what `students.zoo.vit` is cut into."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn


def to_tokens(feature_map: Tensor) -> Tensor:
    """``[B, C, H, W]`` to ``[B, H*W, C]``; no copy where the map is channels-last."""
    return feature_map.flatten(2).transpose(1, 2)


class Patches(nn.Module):
    """Picture ``[B, 3, S, S]`` to embedded tokens ``[B, H*W, C]`` that know their position."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.patch_embed = network.patch_embed
        self.pos_embed = network.pos_embed
        self.rest = nn.Sequential(network.pos_drop, network.patch_drop, network.norm_pre)

    def forward(self, images: Tensor) -> Tensor:
        """``[B, 3, S, S]`` to ``[B, H*W, C]``."""
        tokens: Tensor = self.rest(self.patch_embed(images) + self.pos_embed)
        return tokens


class Blocks(nn.Module):
    """A run of transformer blocks from map to map; the first run takes the picture.

    The map is the raw residual stream: position embeddings are in it and are not added again.
    """

    def __init__(self, patches: Patches | None, blocks: nn.Sequential) -> None:
        super().__init__()
        self.patches = patches
        self.blocks = blocks

    def forward(self, images: Tensor) -> Tensor:
        """A picture or a map ``[B, C, H, W]`` to the next map ``[B, C, H, W]``."""
        tokens: Tensor = to_tokens(images) if self.patches is None else self.patches(images)
        tokens = self.blocks(tokens)
        side = math.isqrt(tokens.shape[1])
        return tokens.transpose(1, 2).view(tokens.shape[0], -1, side, side)


class Head(nn.Module):
    """Last map to logits: norm, mean over the tokens, classifier."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.norm = network.norm
        self.classifier = nn.Sequential(network.fc_norm, network.head_drop, network.head)

    def forward(self, feature_map: Tensor) -> Tensor:
        """Map ``[B, C, H, W]`` to logits ``[B, classes]``."""
        logits: Tensor = self.classifier(self.norm(to_tokens(feature_map)).mean(dim=1))
        return logits
