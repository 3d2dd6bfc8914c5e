"""DINOv2's own names, with and without registers: RAD-DINO, RETFound-DINOv2, GPFM.

timm's filter does the conversion: with registers the class token takes up its position embedding,
and `w12`/`w3` of the gated layer become `fc1`/`fc2`. It does so only where a `mask_token` stands in
the file; fine-tuned files lack it, so one is put in.
"""

from __future__ import annotations

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.names import rename, strip
from core.teachers.formats.shapes import PATCH, guess_vit, is_vit
from core.teachers.formats.timm import fit

REGISTERS = "register_tokens"
CHUNKS = ((r"^blocks\.\d+\.(\d+)\.", r"blocks.\1."),)  # of files from sharded training
RULES = (
    (rf"^{REGISTERS}$", "reg_token"),
    (r"mlp\.w12\.", "mlp.fc1."),
    (r"mlp\.w3\.", "mlp.fc2."),
)


class Dinov2Format:
    """A vision transformer with layer scale, a mask token and perhaps registers."""

    title = "DINOv2"

    def recognises(self, state: State) -> bool:
        """Whether there is layer scale, and a mask token or registers or a gated layer."""
        own = _own(state)
        named = rename(own, RULES)
        marks = {"mask_token", REGISTERS, "blocks.0.mlp.w12.weight"} & own.keys()
        return is_vit(named) and "blocks.0.ls1.gamma" in own and bool(marks)

    def guess(self, state: State) -> list[Guess]:
        """A vision transformer; with registers, their number."""
        own = _own(state)
        named = rename(own, RULES)
        if REGISTERS in own:  # here the class token still has its position
            named["pos_embed"] = named["pos_embed"][:, 1:]
        return [guess_vit(named)]

    def convert(self, state: State, network: nn.Module) -> State:
        """Timm's conversion; heads of the training are left out."""
        if not self.recognises(state):
            return state
        own = _own(state)
        return fit({"mask_token": own["cls_token"]} | own, network)


FORMATS.register("dinov2", __name__)(Dinov2Format())


def _own(state: State) -> State:
    return rename(strip(state, {PATCH}), CHUNKS)
