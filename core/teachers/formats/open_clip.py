"""OpenCLIP with a timm tower (BiomedCLIP, MedSigLIP's kin): `visual.trunk.*` and a text tower.

The tower is a timm network under a prefix. Everything else in the file reads text and is left out.
"""

from __future__ import annotations

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.timm import TimmFormat

TRUNK = "visual.trunk."


class OpenClipFormat(TimmFormat):
    """A timm network under ``visual.trunk.``."""

    title = "OpenCLIP with a timm tower"

    def recognises(self, state: State) -> bool:
        """Whether there is a trunk that timm built."""
        return any(TRUNK in key for key in state) and super().recognises(_trunk(state))

    def guess(self, state: State) -> list[Guess]:
        """What the trunk is."""
        return super().guess(_trunk(state))

    def convert(self, state: State, network: nn.Module) -> State:
        """The trunk alone, as timm names it."""
        return super().convert(_trunk(state), network)


FORMATS.register("open_clip", __name__)(OpenClipFormat())


def _trunk(state: State) -> State:
    """The image tower's tensors, without what stands in front of their own names."""
    inner = {key.partition(TRUNK)[2]: tensor for key, tensor in state.items() if TRUNK in key}
    return inner or state
