"""What shapes say about a vision transformer: its width, depth, patch, tokens and options."""

from __future__ import annotations

import math
import re
from typing import Any

from core.teachers.formats.base import Guess, State

# Width of a vision transformer to timm's name for that size, its depth, heads and hidden layer.
# The number of heads is the one thing that no shape tells.
SIZES = {
    192: ("vit_tiny_patch16_224", 12, 3, 768),
    384: ("vit_small_patch16_224", 12, 6, 1536),
    768: ("vit_base_patch16_224", 12, 12, 3072),
    1024: ("vit_large_patch16_224", 24, 16, 4096),
    1152: ("vit_so400m_patch14_siglip_gap_224", 27, 16, 4304),
    1280: ("vit_huge_patch14_224", 32, 16, 5120),
    1408: ("vit_giant_patch14_224", 40, 16, 6144),
    1536: ("vit_giant_patch14_reg4_dinov2", 40, 24, 4096),
    1664: ("vit_gigantic_patch14_224", 48, 16, 8192),
}
PATCH = "patch_embed.proj.weight"
HEAD_WIDTH = 64  # of one attention head, in nearly every published network


def count_blocks(state: State, pattern: str = r"blocks\.(\d+)\.") -> int:
    """How many numbered blocks there are."""
    found = (re.match(pattern, key) for key in state)
    return len({match[1] for match in found if match})


def is_vit(state: State) -> bool:
    """Whether these are names of timm's plain vision transformer."""
    return (
        PATCH in state and "blocks.0.attn.qkv.weight" in state and "blocks.0.norm1.weight" in state
    )


def guess_vit(state: State, **more: Any) -> Guess:
    """The vision transformer that has these shapes.

    Args:
        state: Tensors named as timm names them; only names and shapes are looked at.
        more: Options that the format knows (an activation, a norm's epsilon).
    """
    width, chans, _, patch = state[PATCH].shape
    hidden = state["blocks.0.mlp.fc2.weight"].shape[1]
    packed = state["blocks.0.mlp.fc1.weight"].shape[0] == 2 * hidden
    depth = count_blocks(state)
    name, usual_depth, heads, usual_hidden = SIZES.get(
        width, ("vit_base_patch16_224", 12, max(1, width // HEAD_WIDTH), 3072)
    )
    options: dict[str, Any] = {}
    if f"patch{patch}_" not in name:
        options["patch_size"] = patch
    if depth != usual_depth:
        options["depth"] = depth
    if width not in SIZES:
        options |= {"embed_dim": width, "num_heads": heads}
    if width == 1536 and depth == 24 and packed:  # UNI2-h, and DINOv2's recipe for it
        options["num_heads"] = 24
    options |= _mlp(width, hidden, usual_hidden, packed, name)
    options |= _tokens(state, name)
    tokens = state["pos_embed"].shape[1] - _embedded_prefix(state)
    side = math.isqrt(tokens)
    if side * side != tokens:
        side = 224 // patch
    unknown = ("heads",) if width not in SIZES else ()
    return Guess(name, options | more, side * patch, chans, unknown)


def _mlp(width: int, hidden: int, usual: int, packed: bool, name: str) -> dict[str, Any]:
    """Options of the hidden layer; a packed one holds gate and value in one matrix."""
    if packed and name != SIZES[1536][0]:
        ratio = round(2 * hidden / width, 5)
        return {"mlp_ratio": ratio, "mlp_layer": "SwiGLUPacked", "act_layer": "silu"}
    if hidden == usual and packed == (name == SIZES[1536][0]):
        return {}
    if not packed and name == SIZES[1536][0]:
        return {"mlp_ratio": round(hidden / width, 5), "mlp_layer": "Mlp", "act_layer": "gelu"}
    return {"mlp_ratio": round((2 if packed else 1) * hidden / width, 5)}


def _tokens(state: State, name: str) -> dict[str, Any]:
    """Options about class token, registers, norms and layer scale, where not the name's own."""
    registers = state["reg_token"].shape[1] if "reg_token" in state else 0
    classed = "cls_token" in state
    is_giant, is_so = name == SIZES[1536][0], name == SIZES[1152][0]
    options: dict[str, Any] = {}
    if registers != (4 if is_giant else 0):
        options["reg_tokens"] = registers
    if bool(registers) != is_giant:
        options["no_embed_class"] = bool(registers)
    if not classed and not is_so:
        options |= {"class_token": False, "global_pool": "avg", "fc_norm": False}
    if classed and is_so:
        options |= {"class_token": True, "global_pool": "token"}
    if "norm_pre.weight" in state:
        options["pre_norm"] = True
    if ("blocks.0.ls1.gamma" in state) != is_giant:
        options["init_values"] = None if is_giant else 1e-5
    if "fc_norm.weight" in state and "norm.weight" not in state:
        options |= {"global_pool": "avg", "fc_norm": True}
    if "blocks.0.attn.qkv.bias" not in state:
        options["qkv_bias"] = False
    return options


def _embedded_prefix(state: State) -> int:
    """How many position embeddings belong to no patch."""
    if "reg_token" in state:
        return 0
    tokens = state["pos_embed"].shape[1]
    whole = math.isqrt(tokens) ** 2 == tokens
    return 0 if "cls_token" not in state or whole else 1
