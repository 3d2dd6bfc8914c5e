"""Files that timm or its users wrote: the network's own names, perhaps behind prefixes."""

from __future__ import annotations

from torch import nn

from core.teachers.formats.base import FORMATS, State

PREFIXES = ("module.", "_orig_mod.", "backbone.", "encoder.", "base_model.", "visual.trunk.")
CLASSIFIERS = ("fc.", "head.fc.", "head.", "classifier.", "head_dist.")


@FORMATS.register("timm", __name__)
def convert_timm(state: State, network: nn.Module) -> State:
    """Strip wrappers' prefixes and the classifier (which a teacher does not use)."""
    wanted = network.state_dict().keys()
    for prefix in PREFIXES * 2:
        if sum(key.startswith(prefix) for key in state) > len(state) // 2:
            state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return {
        key: tensor
        for key, tensor in state.items()
        if key in wanted or not key.startswith(CLASSIFIERS)
    }
