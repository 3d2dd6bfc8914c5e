"""RadImageNet's ResNet-50 and DenseNet-121, saved as a Sequential: `backbone.0`, `backbone.1`, ...

Loading such a file with `strict=False` into torchvision's ResNet-50 fills nothing and says nothing;
several public repositories distil from random weights that way (`reference/method.md` f.2).
"""

from __future__ import annotations

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.names import rename, strip

RESNET = "4.0.conv1.weight"
DENSENET = "0.denseblock1.denselayer1.conv1.weight"
RULES = (
    (r"^0\.(?=conv0|norm0|denseblock|transition|norm5)", "features."),
    (r"^0\.", "conv1."),
    (r"^1\.", "bn1."),
    (r"^4\.", "layer1."),
    (r"^5\.", "layer2."),
    (r"^6\.", "layer3."),
    (r"^7\.", "layer4."),
)
ENDS = ("conv1.", "bn1.", "layer", "features.")


class RadImageNetFormat:
    """A torchvision network whose parts are numbered."""

    title = "RadImageNet (Sequential)"

    def recognises(self, state: State) -> bool:
        """Whether a first residual or dense block stands under its number."""
        own = strip(state, {RESNET, DENSENET})
        return bool({RESNET, DENSENET} & own.keys())

    def guess(self, state: State) -> list[Guess]:
        """The two that were published."""
        own = strip(state, {RESNET, DENSENET})
        name = "resnet50" if RESNET in own else "densenet121"
        return [Guess(name, unknown=("image_px",))]

    def convert(self, state: State, network: nn.Module) -> State:
        """Numbers become names; the classifier is left out."""
        named = rename(strip(state, {RESNET, DENSENET}), RULES)
        return {key: tensor for key, tensor in named.items() if key.startswith(ENDS)}


FORMATS.register("radimagenet", __name__)(RadImageNetFormat())
