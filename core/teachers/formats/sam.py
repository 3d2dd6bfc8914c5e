"""The image encoder of Segment Anything: SAM, MedSAM, LVM-Med; SAM's names and transformers'.

The encoder alone is a teacher; prompts and mask decoder are left out. LVM-Med has no absolute
position embeddings, and the network is then built without them: one left random would go unseen.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.names import rename, strip
from core.teachers.formats.shapes import PATCH, count_blocks

RELATIVE = "blocks.0.attn.rel_pos_h"
RULES = (
    (r"\.mlp\.lin(\d)\.", r".mlp.fc\1."),
    (r"^patch_embed\.projection\.", "patch_embed.proj."),
    (r"^layers\.(\d+)\.", r"blocks.\1."),
    (r"^neck\.conv1\.", "neck.0."),
    (r"^neck\.layer_norm1\.", "neck.1."),
    (r"^neck\.conv2\.", "neck.2."),
    (r"^neck\.layer_norm2\.", "neck.3."),
    (r"\.layer_norm(\d)\.", r".norm\1."),
)
SIZES = {768: "samvit_base_patch16", 1024: "samvit_large_patch16", 1280: "samvit_huge_patch16"}
DEPTHS = {768: 12, 1024: 24, 1280: 32}
EPSILON = 1e-6  # of SAM's norms


class SamFormat:
    """``image_encoder.*`` or ``vision_encoder.*``, or the encoder alone."""

    title = "SAM, MedSAM"

    def recognises(self, state: State) -> bool:
        """Whether the first block has relative positions, and its width is one of SAM's."""
        own = _own(state)
        return RELATIVE in own and PATCH in own and own[PATCH].shape[0] in SIZES

    def guess(self, state: State) -> list[Guess]:
        """SAM's encoder of this width; built at 1024 px, where its tables were made."""
        own = _own(state)
        width, chans, _, patch = own[PATCH].shape
        options: dict[str, Any] = {"norm_eps": EPSILON}
        if count_blocks(own) != DEPTHS[width]:
            options["depth"] = count_blocks(own)
        side = 64
        if "pos_embed" in own:
            side = own["pos_embed"].shape[1]
        else:
            options["use_abs_pos"] = False
        if "neck.0.weight" not in own:
            options["neck_chans"] = 0
        if side * patch != 1024:
            options["img_size"] = side * patch
        return [Guess(SIZES[width], options, side * patch, chans)]

    def convert(self, state: State, network: nn.Module) -> State:
        """Rename; tables of another size are resampled by the network as it runs."""
        wanted = network.state_dict().keys()
        return {key: tensor for key, tensor in _own(state).items() if key in wanted}


FORMATS.register("sam", __name__)(SamFormat())


def _own(state: State) -> State:
    anchors = {"patch_embed.proj.weight", "patch_embed.projection.weight"}
    return rename(strip(state, anchors), RULES)
