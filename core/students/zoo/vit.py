"""Vision transformer, tiny (Dosovitskiy et al. 2021, arXiv 2010.11929; size of arXiv 2012.12877).

It has no class token and pools by average: what replaces its patch tokens must reach the
classifier, or a hybrid loss would have no gradient (`reference/method.md` b.4).
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from torch import Tensor, nn

from core.students.base import Cut, StudentSpec, add_student


def to_tokens(feature_map: Tensor) -> Tensor:
    """``[B, C, H, W]`` to ``[B, H*W, C]``; no copy where the map is channels-last."""
    return feature_map.flatten(2).transpose(1, 2)


class _Patches(nn.Module):
    """Picture ``[B, 3, S, S]`` to embedded tokens ``[B, H*W, C]`` that know their position."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.patch_embed = network.patch_embed
        self.pos_embed = network.pos_embed
        self.rest = nn.Sequential(network.pos_drop, network.patch_drop, network.norm_pre)

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.rest(self.patch_embed(images) + self.pos_embed)
        return tokens


class _Blocks(nn.Module):
    """A run of transformer blocks from map to map; the first run takes the picture.

    The map is the raw residual stream: position embeddings are in it and are not added again.
    """

    def __init__(self, patches: _Patches | None, blocks: nn.Sequential) -> None:
        super().__init__()
        self.patches = patches
        self.blocks = blocks

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = to_tokens(images) if self.patches is None else self.patches(images)
        tokens = self.blocks(tokens)
        side = math.isqrt(tokens.shape[1])
        return tokens.transpose(1, 2).view(tokens.shape[0], -1, side, side)


class _Head(nn.Module):
    """Last map to logits: norm, mean over the tokens, classifier."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.norm = network.norm
        self.classifier = nn.Sequential(network.fc_norm, network.head_drop, network.head)

    def forward(self, feature_map: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.norm(to_tokens(feature_map)).mean(dim=1))
        return logits


def cut_vit(network: Any) -> Cut:
    """Equal quarters of the depth."""
    depth = len(network.blocks)
    ends = [round(depth * part / 4) for part in range(5)]
    runs = [network.blocks[start:end] for start, end in itertools.pairwise(ends)]
    return Cut(
        stages=(
            _Blocks(_Patches(network), runs[0]),
            *(_Blocks(None, run) for run in runs[1:]),
        ),
        head=_Head(network),
        channels=(int(network.embed_dim),) * 4,
        positive=False,
    )


add_student(
    StudentSpec(
        name="vit_tiny",
        title="ViT-Tiny",
        family="Vision transformer",
        summary="Looks at the whole picture at once; it needs many images, or a teacher, to learn "
        "well.",
        architecture="vit_tiny_patch16_224",
        cut=cut_vit,
        options={"class_token": False, "global_pool": "avg", "fc_norm": False},
        patch_px=16,
    ),
    __name__,
)
