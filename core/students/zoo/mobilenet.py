"""MobileNetV3-small (Howard et al. 2019, arXiv 1905.02244)."""

from __future__ import annotations

from typing import Any

from core.students.spec import Cut, StudentSpec, add_student


def cut_mobilenet(network: Any) -> Cut:
    """One stage per resolution; maps come from linear bottlenecks, so they take both signs.

    The widening 1x1 convolution at the end (96 to 576 channels) goes into the head.
    """
    from torch import nn

    blocks = network.blocks
    stages = (
        nn.Sequential(network.conv_stem, network.bn1, blocks[0]),
        blocks[1],
        nn.Sequential(blocks[2], blocks[3]),
        blocks[4],
    )
    ends = (blocks[0], blocks[1], blocks[3], blocks[4])
    return Cut(
        stages=stages,
        head=nn.Sequential(
            blocks[5],
            network.global_pool,
            network.conv_head,
            network.norm_head,
            network.act2,
            network.flatten,
            network.classifier,
        ),
        channels=tuple(_width(end[-1]) for end in ends),
        positive=False,
    )


def _width(block: Any) -> int:
    """Output channels of a depthwise-separable (`conv_pw` last) or inverted residual block."""
    last = block.conv_pwl if hasattr(block, "conv_pwl") else block.conv_pw
    return int(last.out_channels)


add_student(
    StudentSpec(
        name="mobilenetv3_small_050",
        title="MobileNetV3 small, half width",
        family="MobileNet",
        summary="The smallest and fastest: made for telephones, enough for simple questions.",
        architecture="mobilenetv3_small_050",
        work=23,
        cut=cut_mobilenet,
    ),
    __name__,
)

add_student(
    StudentSpec(
        name="mobilenetv3_small_100",
        title="MobileNetV3 small",
        family="MobileNet",
        summary="Very small and fast, for old PCs and portable devices.",
        architecture="mobilenetv3_small_100",
        work=55,
        cut=cut_mobilenet,
    ),
    __name__,
)
