"""torchxrayvision's DenseNet-121 for chest radiographs: one channel, values in [-1024, 1024].

Its release on GitHub is a whole pickled network, whose tensors are read without its code
(`core.pickled_modules`). The 18 findings and their operating points are left out.
"""

from __future__ import annotations

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.names import strip

ANCHOR = "features.conv0.weight"


class XrvFormat:
    """A DenseNet-121 with one input channel."""

    title = "torchxrayvision"

    def recognises(self, state: State) -> bool:
        """Whether it is a DenseNet that looks at one channel."""
        own = strip(state, {ANCHOR})
        return ANCHOR in own and own[ANCHOR].shape[1] == 1

    def guess(self, state: State) -> list[Guess]:
        """DenseNet-121."""
        return [Guess("densenet121", in_chans=1, unknown=("image_px",))]

    def convert(self, state: State, network: nn.Module) -> State:
        """The features alone."""
        own = strip(state, {ANCHOR})
        return {key: tensor for key, tensor in own.items() if key.startswith("features.")}


FORMATS.register("xrv", __name__)(XrvFormat())
