"""Writes reference.json: what the original libraries make of the small networks of `published`.

Not part of the tests and not needed for them. In a throw-away environment, beside torch and timm:

    pip install transformers open_clip_torch torchxrayvision segment-anything
    python -m tests.teachers.make_reference

Each network is filled by `published.fill`, loaded by its own library without a name left over, and
shown one fixed picture; of the last map every `STEP`-th number is kept.
"""

from __future__ import annotations

import importlib
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.teachers import published
from tests.teachers.published import SMALL, fill

TARGET = Path(__file__).with_name("reference.json")
STEP = 7
WINDOW, NECK = 2, 8
WHOLE = (1,)
DAVIT_WIDTHS, DAVIT_DEPTHS, DAVIT_WINDOW, DAVIT_PX = (128,) * 4, (1, 1, 2, 1), 3, 64
DAVIT_TO_TRANSFORMERS = (
    (r"^(convs\.\d+)\.proj", r"\1.conv"),
    (r"(conv\d)\.fn\.dw", r"\1"),
    (r"\w+_attn\.norm", "norm1"),
    (r"_attn\.fn", "_attn"),
    (r"ffn\.norm", "norm2"),
    (r"ffn\.fn\.net", "ffn"),
)
XRV_LAYERS, XRV_GROWTH = (1, 1, 1, 1), 4


def picture(chans: int = 3, side: int = SMALL.patch * SMALL.grid) -> Tensor:
    """The fixed picture, ``[1, chans, side, side]`` in [0, 1]."""
    drawn = np.random.RandomState(0).rand(1, chans, side, side)
    return torch.tensor(drawn, dtype=torch.float32)


def kept(features: Tensor) -> list[float]:
    """Every `STEP`-th number of a map ``[1, C, H, W]``."""
    return [round(float(value), 6) for value in features.flatten()[::STEP]]


def as_map(tokens: Tensor, prefix: int) -> Tensor:
    """Tokens ``[1, N, C]`` without their prefix as a map."""
    side = int((tokens.shape[1] - prefix) ** 0.5)
    return tokens[:, prefix:].transpose(1, 2).reshape(1, -1, side, side)


def main() -> None:
    """Ask every library and write what it said."""
    torch.set_grad_enabled(False)
    found: dict[str, Any] = {}
    for name, make in MAKERS.items():
        library, features = make()
        found[name] = {"library": f"{library} {version(library)}", "kept": kept(features)}
    TARGET.write_text(json.dumps(found, separators=(",", ":")).replace("},", "},\n") + "\n")


def _config(kind: str, **more: Any) -> Any:
    transformers = importlib.import_module("transformers")
    facts = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
             "image_size": 32, "patch_size": 8} | more  # fmt: skip
    return getattr(transformers, kind)(**facts)


def _filled(kind: str, config: Any, shapes: published.Shapes, **more: Any) -> Any:
    model = getattr(importlib.import_module("transformers"), kind)(config, **more).eval()
    model.load_state_dict(fill(shapes))
    return model


def _vit() -> tuple[str, Tensor]:
    shapes = published.transformers_vit(SMALL, new=True)
    config = _config("ViTConfig", intermediate_size=64)
    model = _filled("ViTModel", config, shapes, add_pooling_layer=False)
    return "transformers", as_map(model(picture()).last_hidden_state, 1)


def _dinov2() -> tuple[str, Tensor]:
    shapes = published.transformers_vit(SMALL, dino=True, new=True)
    model = _filled("Dinov2Model", _config("Dinov2Config", mlp_ratio=2), shapes)
    return "transformers", as_map(model(picture()).last_hidden_state, 1)


def _registers() -> tuple[str, Tensor]:
    size = published.Size(32, 2, 8, 4, 64, 2, 3)
    shapes = published.transformers_vit(size, dino=True, new=True)
    config = _config("Dinov2WithRegistersConfig", mlp_ratio=2, num_register_tokens=3)
    model = _filled("Dinov2WithRegistersModel", config, shapes)
    return "transformers", as_map(model(picture()).last_hidden_state, 4)


def _siglip() -> tuple[str, Tensor]:
    shapes = {k.removeprefix("vision_model."): s for k, s in published.siglip(SMALL).items()}
    model = _filled(
        "SiglipVisionModel", _config("SiglipVisionConfig", intermediate_size=64), shapes
    )
    return "transformers", as_map(model(picture()).last_hidden_state, 0)


def _transformers_clip() -> tuple[str, Tensor]:
    shapes = published.transformers_clip(SMALL)
    shapes = {k.removeprefix("vision_model."): s for k, s in shapes.items()}
    model = _filled("CLIPVisionModel", _config("CLIPVisionConfig", intermediate_size=64), shapes)
    return "transformers", as_map(model.post_layernorm(model(picture()).last_hidden_state), 1)


def _transformers_sam() -> tuple[str, Tensor]:
    config = _config("SamVisionConfig", mlp_dim=64, output_channels=NECK, window_size=WINDOW,
                     global_attn_indexes=list(WHOLE), layer_norm_eps=1e-6)  # fmt: skip
    module = importlib.import_module("transformers.models.sam.modeling_sam")
    model = module.SamVisionEncoder(config).eval()
    shapes = published.transformers_sam(SMALL, WINDOW, NECK, whole=WHOLE)
    state = fill(shapes)
    prefix = "vision_encoder."
    model.load_state_dict(
        {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    )
    return "transformers", model(picture()).last_hidden_state


def _sam() -> tuple[str, Tensor]:
    from functools import partial

    module = importlib.import_module("segment_anything.modeling.image_encoder")
    model = module.ImageEncoderViT(
        img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, mlp_ratio=2,
        out_chans=NECK, window_size=WINDOW, global_attn_indexes=WHOLE, use_rel_pos=True,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), rel_pos_zero_init=False,
    ).eval()  # fmt: skip
    state = fill(published.sam(SMALL, WINDOW, NECK, whole=WHOLE))
    prefix = "image_encoder."
    model.load_state_dict(
        {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    )
    return "segment-anything", model(picture())


def _clip() -> tuple[str, Tensor]:
    module = importlib.import_module("open_clip.transformer")
    model = module.VisionTransformer(
        image_size=32, patch_size=8, width=32, layers=2, heads=2, mlp_ratio=2, output_dim=16,
        output_tokens=True, act_layer=module.QuickGELU,
    ).eval()  # fmt: skip
    state = fill(published.clip(SMALL, 16))
    tower = {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")}
    model.load_state_dict(tower)
    return "open_clip_torch", as_map(model(picture())[1], 0)


def _davit() -> tuple[str, Tensor]:
    """Florence-2's image encoder, whose layers are MedImageInsight's under other names."""
    config = importlib.import_module("transformers").Florence2VisionConfig(
        embed_dim=DAVIT_WIDTHS, depths=DAVIT_DEPTHS, num_heads=(4,) * 4, num_groups=(4,) * 4,
        window_size=DAVIT_WINDOW,
    )  # fmt: skip
    module = importlib.import_module("transformers.models.florence2.modeling_florence2")
    model = module.Florence2VisionBackbone(config).eval()
    state = fill(published.davit(DAVIT_WIDTHS, DAVIT_DEPTHS))
    for old, new in DAVIT_TO_TRANSFORMERS:
        state = {re.sub(old, new, key): tensor for key, tensor in state.items()}
    model.load_state_dict({k: v for k, v in state.items() if not k.startswith("norms.")})
    return "transformers", model(picture(side=DAVIT_PX)).last_hidden_state


def _xrv() -> tuple[str, Tensor]:
    models = importlib.import_module("torchxrayvision.models")
    model = models.DenseNet(
        growth_rate=XRV_GROWTH, block_config=XRV_LAYERS, num_init_features=2 * XRV_GROWTH,
        num_classes=published.FINDINGS, in_channels=1,
    ).eval()  # fmt: skip
    state = fill(published.xrv(XRV_LAYERS, XRV_GROWTH))
    state.pop("op_threshs")
    model.load_state_dict(state)
    return "torchxrayvision", torch.relu(model.features(picture(1, 64) * 2048 - 1024))


def _positions() -> tuple[str, Tensor]:
    """DINOv2's position embeddings in transformers, shrunk from a grid of 4 to one of 3."""
    shapes = published.transformers_vit(SMALL, dino=True, new=True)
    model = _filled("Dinov2Model", _config("Dinov2Config", mlp_ratio=2), shapes)
    grid = model.embeddings.interpolate_pos_encoding(torch.zeros(1, 10, 32), 24, 24)
    return "transformers", as_map(grid, 1)


MAKERS = {
    "transformers_vit": _vit, "transformers_dinov2": _dinov2, "transformers_registers": _registers,
    "transformers_siglip": _siglip, "transformers_clip": _transformers_clip,
    "transformers_sam": _transformers_sam, "sam": _sam, "clip": _clip, "xrv": _xrv,
    "davit": _davit, "positions": _positions,
}  # fmt: skip

if __name__ == "__main__":
    main()
