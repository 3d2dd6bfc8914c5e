"""RadImageNet's networks, saved as a Sequential: `backbone.0`, `backbone.1`, ...

Loading such a file with `strict=False` into torchvision's ResNet-50 fills nothing and says nothing;
several public repositories distil from random weights that way (`reference/method.md` f.2).
"""

from __future__ import annotations

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.names import strip

# A name that only this network has, its architecture, and its parts in their order; a part
# without a tensor has no name.
NETWORKS = {
    "4.0.conv1.weight": (
        "resnet50", ("conv1", "bn1", "", "", "layer1", "layer2", "layer3", "layer4"),
    ),
    "0.denseblock1.denselayer1.conv1.weight": ("densenet121", ("features",)),
    "7.branch1x1.conv.weight": (
        "inception_v3",
        (
            "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "", "Conv2d_3b_1x1",
            "Conv2d_4a_3x3", "", "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b",
            "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c",
        ),
    ),
}  # fmt: skip


class RadImageNetFormat:
    """A torchvision network whose parts are numbered."""

    title = "RadImageNet (Sequential)"

    def recognises(self, state: State) -> bool:
        """Whether a first residual, dense or mixed block stands under its number."""
        return bool(_marks(state))

    def guess(self, state: State) -> list[Guess]:
        """The one of the three that were published."""
        return [Guess(NETWORKS[mark][0], unknown=("image_px",)) for mark in _marks(state)]

    def convert(self, state: State, network: nn.Module) -> State:
        """Numbers become names; the classifier is left out."""
        named = {}
        for mark in _marks(state):
            parts = NETWORKS[mark][1]
            for key, tensor in strip(state, {mark}).items():
                number, _, rest = key.partition(".")
                if number.isdecimal() and int(number) < len(parts):
                    named[f"{parts[int(number)]}.{rest}"] = tensor
        return named


FORMATS.register("radimagenet", __name__)(RadImageNetFormat())


def _marks(state: State) -> list[str]:
    own = strip(state, NETWORKS.keys())
    return [mark for mark in NETWORKS if mark in own]
