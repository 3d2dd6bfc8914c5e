"""SigLIP and CLIP of the transformers library: MedSigLIP, PubMedCLIP.

SigLIP's pooling by attention and CLIP's projection serve the comparison with texts and are left
out. SigLIP's activation is the tanh form of GELU, CLIP's QuickGELU where OpenAI's weights were the
start.
"""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.names import join, rename, strip
from core.teachers.formats.shapes import guess_vit
from core.teachers.formats.timm import fit

ANCHOR = "embeddings.patch_embedding.weight"
RULES = (
    (r"^embeddings\.patch_embedding\.", "patch_embed.proj."),
    (r"^embeddings\.position_embedding\.weight$", "pos_embed"),
    (r"^embeddings\.class_embedding$", "cls_token"),
    (r"^encoder\.layers\.(\d+)\.", r"blocks.\1."),
    (r"\.self_attn\.(q|k|v)_proj\.", r".attn.\1."),
    (r"\.self_attn\.out_proj\.", ".attn.proj."),
    (r"\.layer_norm(\d)\.", r".norm\1."),
    (r"^pre_layrnorm\.", "norm_pre."),  # so spelt in the library
    (r"^post_layernorm\.", "norm."),
)
LEFT_OUT = ("head.", "embeddings.position_ids")


class TransformersSiglipFormat:
    """``vision_model.embeddings.*`` and ``vision_model.encoder.layers.*``."""

    title = "transformers SigLIP, CLIP"

    def recognises(self, state: State) -> bool:
        """Whether the patch projection is called as there."""
        return any(f".{key}".endswith(f".{ANCHOR}") for key in state)

    def guess(self, state: State) -> list[Guess]:
        """SigLIP's transformer without a class token, or CLIP's with one."""
        named = _named(state)
        if "cls_token" not in named:
            return [guess_vit(named, act_layer="gelu_tanh")]
        found = guess_vit(named, norm_eps=1e-5, act_layer="quick_gelu")
        return [replace(found, unknown=(*found.unknown, "activation"))]

    def convert(self, state: State, network: nn.Module) -> State:
        """Rename, join, and fit the position embeddings."""
        return fit(_named(state), network) if self.recognises(state) else state


FORMATS.register("transformers_siglip", __name__)(TransformersSiglipFormat())


def _named(state: State) -> State:
    """Timm's names."""
    own = strip(state, {ANCHOR})
    own = {key: tensor for key, tensor in own.items() if not key.startswith(LEFT_OUT)}
    named = join(rename(own, RULES), ("attn.q.", "attn.k.", "attn.v."), "attn.qkv.")
    named["pos_embed"] = named["pos_embed"][None]
    if "cls_token" in named:
        named["cls_token"] = named["cls_token"][None, None]
    return named
