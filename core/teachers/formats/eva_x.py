"""EVA-X and EVA-02 as their authors save them: rotary positions, gated layers, a mask token.

timm's filter renames `w1`, `w2`, `w3` and `ffn_ln`. Where a mask token stands in the file it also
takes the last norm for a fine-tuned network's, which would leave the norm that a teacher's maps
pass through random; the mask token is therefore taken out first.
"""

from __future__ import annotations

import math

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.names import join, strip
from core.teachers.formats.shapes import PATCH, count_blocks
from core.teachers.formats.timm import fit

NAMES = {192: "eva02_tiny_patch14_224", 384: "eva02_small_patch14_224",
         768: "eva02_base_patch14_224", 1024: "eva02_large_patch14_224"}  # fmt: skip
DEPTHS = {192: 12, 384: 12, 768: 12, 1024: 24}
ONLY_TRAINING = ("mask_token", "lm_head.")
GATES = ("blocks.0.mlp.w1.weight", "blocks.0.mlp.fc1_g.weight")
FIRST = "blocks.0.norm1.weight"


class EvaXFormat:
    """A vision transformer with rotary positions and a gated layer in every block."""

    title = "EVA-X, EVA-02"

    def recognises(self, state: State) -> bool:
        """Whether there are gates, or separate biases of query and value, of a known width."""
        own = strip(state, {PATCH, FIRST})
        if not {PATCH, "pos_embed", "cls_token"} <= own.keys():
            return False
        marks = {*GATES, "blocks.0.attn.q_bias", "blocks.0.attn.q_proj.weight"}
        return bool(marks & own.keys()) and own[PATCH].shape[0] in NAMES

    def guess(self, state: State) -> list[Guess]:
        """EVA-02 of this width; positions turn on the grid that the file was trained on."""
        own = strip(state, {PATCH, FIRST})
        width, chans, _, patch = own[PATCH].shape
        side = math.isqrt(own["pos_embed"].shape[1] - 1)
        options = {
            "patch_size": patch,
            "ref_feat_shape": [side, side],
            "global_pool": "token",
            "depth": count_blocks(own),
        }
        if options["depth"] == DEPTHS[width]:
            del options["depth"]
        return [Guess(NAMES[width], options, side * patch, chans)]

    def convert(self, state: State, network: nn.Module) -> State:
        """Timm's conversion, with the last norm kept; gate and value joined where they are one."""
        if not self.recognises(state):
            return state
        own = strip(state, {PATCH, FIRST})
        body = {key: value for key, value in own.items() if not key.startswith(ONLY_TRAINING)}
        converted = fit(body, network)
        if "blocks.0.mlp.fc1.weight" in network.state_dict():
            converted = join(converted, ("mlp.fc1_g.", "mlp.fc1_x."), "mlp.fc1.")
        return {
            key: value
            for key, value in converted.items()
            if not key.startswith("head.") and not key.endswith("attn.k_bias")
        }


FORMATS.register("eva_x", __name__)(EvaXFormat())
