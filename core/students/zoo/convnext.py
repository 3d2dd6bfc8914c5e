"""ConvNeXt in its smallest named size (Liu et al. 2022, arXiv 2201.03545)."""

from __future__ import annotations

from typing import Any

from core.students.spec import Cut, StudentSpec, add_student


def cut_convnext(network: Any) -> Cut:
    """The four native stages; they end in residual sums, so maps take both signs."""
    from torch import nn

    first, *others = network.stages
    return Cut(
        stages=(nn.Sequential(network.stem, first), *others),
        head=nn.Sequential(network.norm_pre, network.head),
        channels=tuple(entry["num_chs"] for entry in network.feature_info),
        positive=False,
    )


add_student(
    StudentSpec(
        name="convnext_atto",
        title="ConvNeXt atto",
        family="ConvNeXt",
        summary="A modern small convolutional network that gives the same answer whatever images "
        "share its batch.",
        architecture="convnext_atto",
        work=547,
        cut=cut_convnext,
    ),
    __name__,
)
