"""ViT and DINOv2 of the transformers library: Phikon, Phikon-v2, RAD-DINO.

The names on disk differ from those in memory since version 5, and people save either:
`encoder.layer.0.attention.attention.query` and `layers.0.attention.q_proj` are the same tensor.
Query, key and value are joined; with registers the class token takes up its position embedding, as
timm's networks with registers have none for it.
"""

from __future__ import annotations

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.names import join, rename, strip
from core.teachers.formats.shapes import guess_vit
from core.teachers.formats.timm import fit

ANCHOR = "embeddings.patch_embeddings.projection.weight"
RULES = (
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.register_tokens$", "reg_token"),
    (r"^(?:encoder\.layer|encoder\.layers|layers)\.(\d+)\.", r"blocks.\1."),
    (r"\.attention\.(?:attention\.)?(q|k|v)(?:uery|ey|alue|_proj)\.", r".attn.\1."),
    (r"\.attention\.(?:output\.dense|o_proj)\.", ".attn.proj."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"^(blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"\.mlp\.(?:weights_in|gate_up_proj)\.", ".mlp.fc1."),
    (r"\.mlp\.(?:weights_out|down_proj)\.", ".mlp.fc2."),
    (r"\.layer_scale(\d)\.lambda1$", r".ls\1.gamma"),
    (r"^layernorm\.", "norm."),
)
ONLY_TRAINING = ("embeddings.mask_token", "pooler.", "classifier.", "decoder.")
EPSILON = {False: 1e-12, True: 1e-6}  # of the norms: ViT's, and DINOv2's, which has layer scale


class TransformersVitFormat:
    """``embeddings.*`` and ``encoder.layer.*`` (or ``layers.*``)."""

    title = "transformers ViT, DINOv2"

    def recognises(self, state: State) -> bool:
        """Whether the patch projection is called as there."""
        return any(f".{key}".endswith(f".{ANCHOR}") for key in state)

    def guess(self, state: State) -> list[Guess]:
        """A vision transformer."""
        named = _named(state)
        return [guess_vit(named, norm_eps=EPSILON["blocks.0.ls1.gamma" in named])]

    def convert(self, state: State, network: nn.Module) -> State:
        """Rename, join, and fit the position embeddings."""
        return fit(_named(state), network) if self.recognises(state) else state


FORMATS.register("transformers_vit", __name__)(TransformersVitFormat())


def _named(state: State) -> State:
    """Timm's names."""
    own = strip(state, {ANCHOR})
    own = {key: tensor for key, tensor in own.items() if not key.startswith(ONLY_TRAINING)}
    named = join(rename(own, RULES), ("attn.q.", "attn.k.", "attn.v."), "attn.qkv.")
    named = join(named, ("mlp.gate_proj.", "mlp.up_proj."), "mlp.fc1.")
    if "reg_token" in named:
        named["cls_token"] = named["cls_token"] + named["pos_embed"][:, :1]
        named["pos_embed"] = named["pos_embed"][:, 1:]
    return named
