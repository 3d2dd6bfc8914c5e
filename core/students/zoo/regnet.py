"""RegNetY in its smallest size (Radosavovic et al. 2020, arXiv 2003.13678)."""

from __future__ import annotations

from typing import Any

from core.students.spec import Cut, StudentSpec, add_student


def cut_regnet(network: Any) -> Cut:
    """The four native stages; each ends in a ReLU."""
    from torch import nn

    return Cut(
        stages=(nn.Sequential(network.stem, network.s1), network.s2, network.s3, network.s4),
        head=nn.Sequential(network.final_conv, network.head),
        channels=tuple(entry["num_chs"] for entry in network.feature_info[1:]),
        positive=True,
        local=True,
    )


add_student(
    StudentSpec(
        name="regnety_002",
        title="RegNetY 200M",
        family="RegNet",
        summary="A light network between MobileNet and ResNet, with a small file and steady "
        "training.",
        architecture="regnety_002",
        work=199,
        cut=cut_regnet,
    ),
    __name__,
)
