"""Files that timm or its users wrote: the network's own names, perhaps behind prefixes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import cast

from torch import nn

from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.formats.names import strip
from core.teachers.formats.shapes import PATCH, guess_vit, is_vit

CLASSIFIERS = ("fc.", "head.fc.", "head.", "classifier.", "head_dist.")

# The first name that tells a family, and its members from small to large. Each is built on the
# meta device and compared, so that a list costs seconds at most.
FAMILIES: dict[str, tuple[str, ...]] = {
    "layer1.0.conv1.weight": (
        "resnet10t", "resnet14t", "resnet18", "resnet18d", "resnet26", "resnet26d", "resnet34",
        "resnet34d", "resnet50", "resnet50d", "resnet101", "resnet101d", "resnet152", "resnet152d",
        "resnext50_32x4d", "resnext101_32x8d", "wide_resnet50_2", "wide_resnet101_2", "seresnet50",
        "seresnext50_32x4d", "ecaresnet50d",
    ),
    "features.denseblock1.denselayer1.conv1.weight": (
        "densenet121", "densenet161", "densenet169", "densenet201",
    ),
    "stages.0.blocks.0.conv_dw.weight": (
        "convnext_atto", "convnext_femto", "convnext_pico", "convnext_nano", "convnext_tiny",
        "convnext_small", "convnext_base", "convnext_large", "convnextv2_atto", "convnextv2_femto",
        "convnextv2_pico", "convnextv2_nano", "convnextv2_tiny", "convnextv2_base",
    ),
    "blocks.0.0.conv_pw.weight": ("efficientnetv2_rw_t", "efficientnetv2_rw_s"),
    "blocks.0.0.conv_dw.weight": (
        "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3",
        "efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7",
        "mobilenetv2_100", "mobilenetv3_small_100", "mobilenetv3_large_100",
    ),
    "blocks.0.0.conv.weight": ("tf_efficientnetv2_s", "tf_efficientnetv2_m", "tf_efficientnetv2_l"),
    "s1.b1.conv1.conv.weight": (
        "regnety_002", "regnety_004", "regnety_008", "regnety_016", "regnety_032", "regnety_040",
        "regnetx_002", "regnetx_004", "regnetx_008", "regnetx_016", "regnetx_032",
    ),
    "layers.0.blocks.0.attn.relative_position_bias_table": (
        "swin_tiny_patch4_window7_224", "swin_small_patch4_window7_224",
        "swin_base_patch4_window7_224", "swin_large_patch4_window7_224",
    ),
    "features.0.weight": ("vgg11", "vgg13", "vgg16", "vgg19", "vgg16_bn", "vgg19_bn"),
    "Conv2d_1a_3x3.conv.weight": ("inception_v3",),
}  # fmt: skip
STEMS = ("conv1.weight", "conv1.0.weight", "stem.0.weight", "stem.conv.weight", "conv_stem.weight",
         "features.conv0.weight", PATCH, "features.0.weight")  # fmt: skip


class TimmFormat:
    """timm's names (and torchvision's, where they are the same), wherever they begin."""

    title = "timm or torchvision"

    def recognises(self, state: State) -> bool:
        """Whether the first names of a known family are there."""
        return is_vit(strip(state, {PATCH})) or bool(_families(state))

    def guess(self, state: State) -> list[Guess]:
        """A vision transformer by its shapes, others by family."""
        stripped = strip(state, {PATCH})
        if is_vit(stripped):
            return [guess_vit(stripped)]
        found = []
        for anchor in _families(state):
            chans = _input_channels(strip(state, {anchor}))
            found += [
                Guess(name, in_chans=chans, unknown=("image_px",)) for name in FAMILIES[anchor]
            ]
        return found

    def convert(self, state: State, network: nn.Module) -> State:
        """Strip prefixes and the classifier (which a teacher does not use); fit what has a size."""
        wanted = network.state_dict().keys()
        return fit(
            {
                key: tensor
                for key, tensor in strip(state, wanted).items()
                if key in wanted or not key.startswith(CLASSIFIERS)
            },
            network,
        )


FORMATS.register("timm", __name__)(TimmFormat())


def fit(state: State, network: nn.Module) -> State:
    """Let timm's own rule for this kind of network fit position embeddings to its grid.

    timm resizes them bicubically with antialiasing. Other libraries do it otherwise
    (`tests/teachers/test_positions.py` says by how much), so a teacher is best used at its own
    size; which rule was used is always the same one, this.

    Args:
        state: Tensors named as the network names them.
        network: Of timm.
    """
    module = sys.modules[type(network).__module__]
    rule = getattr(module, "checkpoint_filter_fn", None)
    if rule is None or not hasattr(network, "pos_embed"):
        return state
    return cast(Callable[[State, nn.Module], State], rule)(dict(state), network)


def _families(state: State) -> list[str]:
    """Anchors of the families whose first name stands somewhere in the file."""
    return [anchor for anchor in FAMILIES if any(f".{key}".endswith(f".{anchor}") for key in state)]


def _input_channels(state: State) -> int:
    stem = next((state[name] for name in STEMS if name in state), None)
    return int(stem.shape[1]) if stem is not None and stem.shape[1] in {1, 3} else 3
