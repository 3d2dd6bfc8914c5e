"""ResNets (He et al. 2016, arXiv 1512.03385; the 't' stems of arXiv 1812.01187)."""

from __future__ import annotations

from typing import Any

from core.students.spec import Cut, StudentSpec, add_student


def cut_resnet(network: Any) -> Cut:
    """The four native stages; each ends in a ReLU."""
    from torch import nn

    stem = [network.conv1, network.bn1, network.act1, network.maxpool]
    return Cut(
        stages=(
            nn.Sequential(*stem, network.layer1),
            network.layer2,
            network.layer3,
            network.layer4,
        ),
        head=nn.Sequential(network.global_pool, network.fc),
        channels=tuple(entry["num_chs"] for entry in network.feature_info[1:]),
        positive=True,
        local=True,
    )


add_student(
    StudentSpec(
        name="resnet10t",
        title="ResNet-10",
        family="ResNet",
        summary="A small all-rounder that trains fast and steadily; a good first try on any PC.",
        architecture="resnet10t",
        work=1097,
        cut=cut_resnet,
    ),
    __name__,
)

add_student(
    StudentSpec(
        name="resnet18",
        title="ResNet-18",
        family="ResNet",
        summary="The standard choice: well understood, robust, and still quick without a "
        "graphics card.",
        architecture="resnet18",
        work=1814,
        cut=cut_resnet,
    ),
    __name__,
)

add_student(
    StudentSpec(
        name="resnet50",
        title="ResNet-50",
        family="ResNet",
        summary="A large network for large collections; train it with a graphics card.",
        architecture="resnet50",
        work=4087,
        cut=cut_resnet,
    ),
    __name__,
)
