"""EfficientNet-B0 (Tan and Le 2019, arXiv 1905.11946)."""

from __future__ import annotations

from typing import Any

from core.students.spec import Cut, StudentSpec, add_student


def cut_efficientnet(network: Any) -> Cut:
    """One stage per resolution, ending in linear bottlenecks; `conv_head` goes into the head."""
    from torch import nn

    blocks = network.blocks
    ends = (blocks[1], blocks[2], blocks[4], blocks[6])
    return Cut(
        stages=(
            nn.Sequential(network.conv_stem, network.bn1, blocks[0], blocks[1]),
            blocks[2],
            nn.Sequential(blocks[3], blocks[4]),
            nn.Sequential(blocks[5], blocks[6]),
        ),
        head=nn.Sequential(network.conv_head, network.bn2, network.global_pool, network.classifier),
        channels=tuple(int(end[-1].conv_pwl.out_channels) for end in ends),
        positive=False,
    )


add_student(
    StudentSpec(
        name="efficientnet_b0",
        title="EfficientNet-B0",
        family="EfficientNet",
        summary="Few multiplications for its accuracy; a compact file, slower to train than it "
        "looks.",
        architecture="efficientnet_b0",
        work=385,
        cut=cut_efficientnet,
    ),
    __name__,
)
