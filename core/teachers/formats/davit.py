"""DaViT as MedImageInsight and Florence-2 save it: attention to windows and to channels by turns.

The names are those of Microsoft's own code; timm has the same network under other names. Texts and
projections that stand beside the image encoder are left out.
"""

from __future__ import annotations

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.names import rename, strip

STEM = "convs.0.proj.weight"
BLOCK = "blocks.0.0.spatial_block.window_attn.fn.qkv.weight"
NAMES = {128: "davit_base_fl", 256: "davit_huge_fl"}
RULES = (
    (r"^convs\.0\.proj\.", "stem.conv."),
    (r"^convs\.0\.norm\.", "stem.norm."),
    (r"^convs\.(\d+)\.proj\.", r"stages.\1.downsample.conv."),
    (r"^convs\.(\d+)\.norm\.", r"stages.\1.downsample.norm."),
    (r"^blocks\.", "stages."),
    (r"^(stages\.\d+)\.(?=\d+\.)", r"\1.blocks."),
    (r"conv(\d)\.fn\.dw\.", r"cpe\1.proj."),
    (r"(window|channel)_attn\.norm\.", "norm1."),
    (r"(window|channel)_attn\.fn\.", "attn."),
    (r"ffn\.norm\.", "norm2."),
    (r"ffn\.fn\.net\.", "mlp."),
    (r"^norms\.", "head.norm."),
)
OWN = ("stem.", "stages.", "head.norm.")


class DavitFormat:
    """The image encoder of MedImageInsight or Florence-2."""

    title = "DaViT (MedImageInsight, Florence-2)"

    def recognises(self, state: State) -> bool:
        """Whether the first block stands behind a stem of a known width."""
        own = strip(state, {STEM, BLOCK})
        return {STEM, BLOCK} <= own.keys() and own[STEM].shape[0] in NAMES

    def guess(self, state: State) -> list[Guess]:
        """The encoder of this width; it takes pictures of any size."""
        width, chans = strip(state, {STEM, BLOCK})[STEM].shape[:2]
        return [Guess(NAMES[width], image_px=480, in_chans=chans, unknown=("image_px",))]

    def convert(self, state: State, network: nn.Module) -> State:
        """Microsoft's names become timm's."""
        if not self.recognises(state):
            return state
        named = rename(strip(state, {STEM, BLOCK}), RULES)
        return {key: tensor for key, tensor in named.items() if key.startswith(OWN)}


FORMATS.register("davit", __name__)(DavitFormat())
