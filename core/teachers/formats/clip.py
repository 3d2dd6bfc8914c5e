"""OpenAI's CLIP and OpenCLIP's own vision transformer: `visual.conv1`, `visual.transformer.*`.

Weights of OpenAI and those fine-tuned from them (CheXzero, PubMedCLIP) were trained with
QuickGELU, most of OpenCLIP's with GELU; no name and no shape tells which, so that is asked.
Converted by timm (`_convert_openai_clip` in its filter): `in_proj` becomes `qkv`, `ln_pre` the norm
before the blocks.
"""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.names import rename, strip
from core.teachers.formats.shapes import guess_vit
from core.teachers.formats.timm import fit

ANCHOR = "visual.class_embedding"
RULES = (
    (r"^visual\.", ""),
    (r"^conv1\.", "patch_embed.proj."),
    (r"^transformer\.resblocks\.", "blocks."),
    (r"^class_embedding$", "cls_token"),
    (r"^ln_pre\.", "norm_pre."),
    (r"attn\.in_proj_", "attn.qkv."),
    (r"mlp\.c_fc\.", "mlp.fc1."),
    (r"mlp\.c_proj\.", "mlp.fc2."),
)
EPSILON = 1e-5  # of CLIP's norms; timm's others have 1e-6


class ClipFormat:
    """The image tower of a file with CLIP's own names; its text tower is left out."""

    title = "CLIP (OpenAI, OpenCLIP)"

    def recognises(self, state: State) -> bool:
        """Whether there is a class embedding of an image tower."""
        return any(key.endswith(ANCHOR) for key in state)

    def guess(self, state: State) -> list[Guess]:
        """A vision transformer with a norm before its blocks."""
        own = strip(state, {ANCHOR})  # a name of the text tower may be that of the image tower
        tower = rename({k: v for k, v in own.items() if k.startswith("visual.")}, RULES)
        tower["pos_embed"] = tower["positional_embedding"][None]
        found = guess_vit(tower, norm_eps=EPSILON, act_layer="quick_gelu")
        return [replace(found, unknown=(*found.unknown, "activation"))]

    def convert(self, state: State, network: nn.Module) -> State:
        """Timm's conversion; the projection to the space of texts has no place in a teacher."""
        if not self.recognises(state):
            return state
        converted = fit(strip(state, {ANCHOR}), network)
        return {key: tensor for key, tensor in converted.items() if not key.startswith("head.")}


FORMATS.register("clip", __name__)(ClipFormat())
