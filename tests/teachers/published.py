"""Names and shapes of published checkpoints, from the facts of their architectures; no weights.

Each function gives the names and shapes that the model's own code saves, at any size: at the real
one they are matched on the meta device, at a small one they are filled with numbers and run.
`fill` makes the numbers from the names alone, so that another library, in another place, gets the
same network.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.models import Inception3

Shapes = dict[str, tuple[int, ...]]
DENSE_LAYERS = (6, 12, 24, 16)
FINDINGS = 18


@dataclass(frozen=True)
class Size:
    """How large a vision transformer is."""

    width: int
    depth: int
    patch: int
    grid: int
    hidden: int
    heads: int
    registers: int = 0
    gated: bool = False


SMALL = Size(width=32, depth=2, patch=8, grid=4, hidden=64, heads=2)


def fill(shapes: Shapes, scale: float = 0.1) -> dict[str, Tensor]:
    """Numbers for every name, the same on every machine and in every version.

    Norms are about one, variances positive, everything else is normal with deviation `scale`.
    """
    state = {}
    for name, shape in shapes.items():
        drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * scale
        if "running_var" in name:
            drawn = np.abs(drawn) + 0.5
        elif len(shape) == 1 and name.endswith("weight"):
            drawn = drawn + 1
        state[name] = torch.tensor(drawn, dtype=torch.float32)
    return state


def meta(shapes: Shapes) -> dict[str, Tensor]:
    """The same names and shapes without any number."""
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def linear(name: str, out: int, into: int, *, bias: bool = True) -> Shapes:
    """A linear layer."""
    return {f"{name}.weight": (out, into)} | ({f"{name}.bias": (out,)} if bias else {})


def norm(name: str, width: int) -> Shapes:
    """A layer norm."""
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def batch_norm(name: str, width: int) -> Shapes:
    """A batch norm with its statistics."""
    counts: Shapes = {f"{name}.running_mean": (width,), f"{name}.running_var": (width,)}
    return norm(name, width) | counts | {f"{name}.num_batches_tracked": ()}


def conv(name: str, out: int, into: int, side: int, *, bias: bool = False) -> Shapes:
    """A convolution."""
    shapes: Shapes = {f"{name}.weight": (out, into, side, side)}
    return shapes | ({f"{name}.bias": (out,)} if bias else {})


def dinov2(size: Size) -> Shapes:
    """facebookresearch/dinov2, `DinoVisionTransformer`."""
    wide = size.width
    shapes: Shapes = {
        "cls_token": (1, 1, wide),
        "pos_embed": (1, size.grid**2 + 1, wide),
        "mask_token": (1, wide),
    }
    if size.registers:
        shapes["register_tokens"] = (1, size.registers, wide)
    shapes |= conv("patch_embed.proj", wide, 3, size.patch, bias=True)
    for n in range(size.depth):
        block = f"blocks.{n}"
        shapes |= norm(f"{block}.norm1", wide) | linear(f"{block}.attn.qkv", 3 * wide, wide)
        shapes |= linear(f"{block}.attn.proj", wide, wide) | {f"{block}.ls1.gamma": (wide,)}
        shapes |= norm(f"{block}.norm2", wide) | {f"{block}.ls2.gamma": (wide,)}
        if size.gated:
            shapes |= linear(f"{block}.mlp.w12", 2 * size.hidden, wide)
            shapes |= linear(f"{block}.mlp.w3", wide, size.hidden)
        else:
            shapes |= linear(f"{block}.mlp.fc1", size.hidden, wide)
            shapes |= linear(f"{block}.mlp.fc2", wide, size.hidden)
    return shapes | norm("norm", wide)


def timm_vit(size: Size, *, scale: bool = False, classed: bool = True) -> Shapes:
    """Timm's own vision transformer: UNI, Virchow, H-optimus."""
    shapes = dinov2(size)
    shapes.pop("mask_token")
    if size.registers:
        shapes["reg_token"] = shapes.pop("register_tokens")
    if size.registers or not classed:
        shapes["pos_embed"] = (1, size.grid**2, size.width)
    if not classed:
        shapes.pop("cls_token")
    renamed = {
        key.replace("mlp.w12.", "mlp.fc1.").replace("mlp.w3.", "mlp.fc2."): shape
        for key, shape in shapes.items()
    }
    return {key: shape for key, shape in renamed.items() if scale or ".gamma" not in key}


def mae(size: Size, decoder: int = 512, decoder_depth: int = 8) -> Shapes:
    """facebookresearch/mae, `MaskedAutoencoderViT`, encoder and decoder."""
    shapes = timm_vit(size) | {
        "mask_token": (1, 1, decoder),
        "decoder_pos_embed": (1, size.grid**2 + 1, decoder),
    }
    small = Size(decoder, decoder_depth, size.patch, size.grid, 4 * decoder, 16)
    blocks = {key: shape for key, shape in timm_vit(small).items() if key.startswith("blocks.")}
    shapes |= {f"decoder_{key}": shape for key, shape in blocks.items()}
    shapes |= linear("decoder_embed", decoder, size.width) | norm("decoder_norm", decoder)
    return shapes | linear("decoder_pred", 3 * size.patch**2, decoder)


def clip(size: Size, projection: int = 512) -> Shapes:
    """openai/CLIP and mlfoundations/open_clip, `VisionTransformer`, with the start of the text."""
    wide = size.width
    shapes: Shapes = {
        "visual.class_embedding": (wide,),
        "visual.positional_embedding": (size.grid**2 + 1, wide),
        "visual.proj": (wide, projection),
        "positional_embedding": (77, projection),
        "text_projection": (projection, projection),
        "logit_scale": (),
    }
    shapes |= conv("visual.conv1", wide, 3, size.patch) | norm("visual.ln_pre", wide)
    for n in range(size.depth):
        block = f"visual.transformer.resblocks.{n}"
        shapes |= {f"{block}.attn.in_proj_weight": (3 * wide, wide)}
        shapes |= {f"{block}.attn.in_proj_bias": (3 * wide,)}
        shapes |= linear(f"{block}.attn.out_proj", wide, wide)
        shapes |= norm(f"{block}.ln_1", wide) | norm(f"{block}.ln_2", wide)
        shapes |= linear(f"{block}.mlp.c_fc", size.hidden, wide)
        shapes |= linear(f"{block}.mlp.c_proj", wide, size.hidden)
    return shapes | norm("visual.ln_post", wide) | norm("ln_final", projection)


def open_clip_trunk(size: Size, projection: int = 512) -> Shapes:
    """BiomedCLIP: timm's ViT as the image tower, a BERT beside it."""
    trunk = {f"visual.trunk.{key}": shape for key, shape in timm_vit(size).items()}
    text = linear("text.transformer.encoder.layer.0.attention.self.query", 768, 768)
    head = linear("visual.head.proj", projection, size.width, bias=False)
    return trunk | head | text | {"logit_scale": ()}


def transformers_vit(size: Size, *, dino: bool = False, new: bool = False) -> Shapes:
    """Transformers' `ViTModel`, `Dinov2Model`, `Dinov2WithRegistersModel`.

    Args:
        size: How large.
        dino: DINOv2 rather than ViT.
        new: The names in memory from version 5 on; else those on disk.
    """
    wide = size.width
    shapes: Shapes = {
        "embeddings.cls_token": (1, 1, wide),
        "embeddings.position_embeddings": (1, size.grid**2 + 1, wide),
    }
    shapes |= conv("embeddings.patch_embeddings.projection", wide, 3, size.patch, bias=True)
    if dino:
        shapes["embeddings.mask_token"] = (1, wide)
    if size.registers:
        shapes["embeddings.register_tokens"] = (1, size.registers, wide)
    for n in range(size.depth):
        block = f"layers.{n}" if new and not dino else f"encoder.layer.{n}"
        for short, name in (("q", "query"), ("k", "key"), ("v", "value")):
            part = f"{short}_proj" if new else f"attention.{name}"
            shapes |= linear(f"{block}.attention.{part}", wide, wide)
        out = "attention.o_proj" if new else "attention.output.dense"
        shapes |= linear(f"{block}.{out}", wide, wide)
        into, back = (
            ("mlp.fc1", "mlp.fc2") if new or dino else ("intermediate.dense", "output.dense")
        )
        shapes |= linear(f"{block}.{into}", size.hidden, wide)
        shapes |= linear(f"{block}.{back}", wide, size.hidden)
        first, second = ("norm1", "norm2") if dino else ("layernorm_before", "layernorm_after")
        shapes |= norm(f"{block}.{first}", wide) | norm(f"{block}.{second}", wide)
        if dino:
            scales: Shapes = {f"{block}.layer_scale{i}.lambda1": (wide,) for i in (1, 2)}
            shapes |= scales
    return shapes | norm("layernorm", wide)


def siglip(size: Size) -> Shapes:
    """Transformers' `SiglipVisionModel`, with its pooling."""
    wide = size.width
    shapes: Shapes = {"embeddings.position_embedding.weight": (size.grid**2, wide)}
    shapes |= conv("embeddings.patch_embedding", wide, 3, size.patch, bias=True)
    shapes |= _siglip_blocks(size)
    shapes |= {"head.probe": (1, 1, wide), "head.attention.in_proj_weight": (3 * wide, wide)}
    shapes |= {"head.attention.in_proj_bias": (3 * wide,)}
    shapes |= linear("head.attention.out_proj", wide, wide) | norm("head.layernorm", wide)
    shapes |= linear("head.mlp.fc1", size.hidden, wide) | linear("head.mlp.fc2", wide, size.hidden)
    return {f"vision_model.{key}": shape for key, shape in shapes.items()}


def transformers_clip(size: Size) -> Shapes:
    """Transformers' `CLIPVisionModel`."""
    wide = size.width
    shapes: Shapes = {
        "embeddings.class_embedding": (wide,),
        "embeddings.position_embedding.weight": (size.grid**2 + 1, wide),
    }
    shapes |= conv("embeddings.patch_embedding", wide, 3, size.patch)
    shapes |= norm("pre_layrnorm", wide) | _siglip_blocks(size)
    return {f"vision_model.{key}": shape for key, shape in shapes.items()}


def _siglip_blocks(size: Size) -> Shapes:
    wide = size.width
    shapes: Shapes = {}
    for n in range(size.depth):
        block = f"encoder.layers.{n}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= linear(f"{block}.self_attn.{part}", wide, wide)
        shapes |= norm(f"{block}.layer_norm1", wide) | norm(f"{block}.layer_norm2", wide)
        shapes |= linear(f"{block}.mlp.fc1", size.hidden, wide)
        shapes |= linear(f"{block}.mlp.fc2", wide, size.hidden)
    return shapes | norm("post_layernorm", wide)


def sam(size: Size, window: int = 14, neck: int = 256, *, whole: tuple[int, ...] = ()) -> Shapes:
    """facebookresearch/segment-anything, `ImageEncoderViT`, and the start of its decoder.

    Args:
        size: How large.
        window: Side of the windows of attention.
        neck: Channels after the neck.
        whole: Blocks that attend to the whole picture.
    """
    wide, per_head = size.width, size.width // size.heads
    shapes: Shapes = {"pos_embed": (1, size.grid, size.grid, wide)}
    shapes |= conv("patch_embed.proj", wide, 3, size.patch, bias=True)
    for n in range(size.depth):
        block = f"blocks.{n}"
        reach = 2 * (size.grid if n in whole else window) - 1
        tables: Shapes = {f"{block}.attn.rel_pos_{axis}": (reach, per_head) for axis in "hw"}
        shapes |= tables | norm(f"{block}.norm1", wide) | norm(f"{block}.norm2", wide)
        shapes |= linear(f"{block}.attn.qkv", 3 * wide, wide)
        shapes |= linear(f"{block}.attn.proj", wide, wide)
        shapes |= linear(f"{block}.mlp.lin1", size.hidden, wide)
        shapes |= linear(f"{block}.mlp.lin2", wide, size.hidden)
    shapes |= conv("neck.0", neck, wide, 1) | norm("neck.1", neck)
    shapes |= conv("neck.2", neck, neck, 3) | norm("neck.3", neck)
    decoder = linear("mask_decoder.iou_prediction_head.layers.0", 256, 256)
    prompt: Shapes = {"prompt_encoder.no_mask_embed.weight": (1, 256)}
    return {f"image_encoder.{key}": shape for key, shape in shapes.items()} | decoder | prompt


def transformers_sam(
    size: Size, window: int = 14, neck: int = 256, *, whole: tuple[int, ...] = ()
) -> Shapes:
    """Transformers' `SamModel`: the same under other names."""
    renames = (
        ("image_encoder.", "vision_encoder."), ("patch_embed.proj.", "patch_embed.projection."),
        ("blocks.", "layers."), ("norm1.", "layer_norm1."), ("norm2.", "layer_norm2."),
        ("neck.0.", "neck.conv1."), ("neck.1.", "neck.layer_norm1."),
        ("neck.2.", "neck.conv2."), ("neck.3.", "neck.layer_norm2."),
    )  # fmt: skip
    renamed = {}
    for key, shape in sam(size, window, neck, whole=whole).items():
        for old, new in renames if key.startswith("image_encoder.") else ():
            key = key.replace(old, new)
        renamed[key] = shape
    return renamed


def eva_x(size: Size, *, split: bool) -> Shapes:
    """hustvl/EVA-X as its pre-training saves it.

    Args:
        size: How large.
        split: Separate query, key and value with sub-norms (B), or one projection (Ti, S).
    """
    wide = size.width
    shapes: Shapes = {
        "cls_token": (1, 1, wide),
        "pos_embed": (1, size.grid**2 + 1, wide),
        "mask_token": (1, 1, wide),
        "rope.freqs_cos": (size.grid**2, wide // size.heads),
        "rope.freqs_sin": (size.grid**2, wide // size.heads),
    }
    shapes |= conv("patch_embed.proj", wide, 3, size.patch, bias=True)
    shapes |= linear("lm_head", 512, wide)
    for n in range(size.depth):
        block = f"blocks.{n}"
        shapes |= norm(f"{block}.norm1", wide) | norm(f"{block}.norm2", wide)
        biases: Shapes = {f"{block}.attn.q_bias": (wide,), f"{block}.attn.v_bias": (wide,)}
        shapes |= biases | linear(f"{block}.attn.proj", wide, wide)
        if split:
            for part in ("q_proj", "k_proj", "v_proj"):
                shapes |= linear(f"{block}.attn.{part}", wide, wide, bias=False)
            shapes |= norm(f"{block}.mlp.ffn_ln", size.hidden)
        else:
            shapes |= linear(f"{block}.attn.qkv", 3 * wide, wide, bias=False)
        shapes |= linear(f"{block}.mlp.w1", size.hidden, wide)
        shapes |= linear(f"{block}.mlp.w2", size.hidden, wide)
        shapes |= linear(f"{block}.mlp.w3", wide, size.hidden)
    return shapes | norm("norm", wide)


def resnet50(layers: tuple[int, ...] = (3, 4, 6, 3), stem: int = 64) -> Shapes:
    """Torchvision's ResNet-50."""
    shapes = conv("conv1", stem, 3, 7) | batch_norm("bn1", stem)
    into = stem
    for stage, blocks in enumerate(layers):
        inner = stem * 2**stage
        for n in range(blocks):
            block = f"layer{stage + 1}.{n}"
            shapes |= conv(f"{block}.conv1", inner, into, 1) | batch_norm(f"{block}.bn1", inner)
            shapes |= conv(f"{block}.conv2", inner, inner, 3) | batch_norm(f"{block}.bn2", inner)
            shapes |= conv(f"{block}.conv3", 4 * inner, inner, 1)
            shapes |= batch_norm(f"{block}.bn3", 4 * inner)
            if n == 0:
                shapes |= conv(f"{block}.downsample.0", 4 * inner, into, 1)
                shapes |= batch_norm(f"{block}.downsample.1", 4 * inner)
            into = 4 * inner
    return shapes


def densenet(layers: tuple[int, ...] = DENSE_LAYERS, growth: int = 32, chans: int = 3) -> Shapes:
    """Torchvision's DenseNet: its `features`."""
    wide = 2 * growth
    shapes = conv("features.conv0", wide, chans, 7) | batch_norm("features.norm0", wide)
    for stage, count in enumerate(layers, start=1):
        for n in range(count):
            layer = f"features.denseblock{stage}.denselayer{n + 1}"
            shapes |= batch_norm(f"{layer}.norm1", wide + n * growth)
            shapes |= conv(f"{layer}.conv1", 4 * growth, wide + n * growth, 1)
            shapes |= batch_norm(f"{layer}.norm2", 4 * growth)
            shapes |= conv(f"{layer}.conv2", growth, 4 * growth, 3)
        wide += count * growth
        if stage < len(layers):
            shapes |= batch_norm(f"features.transition{stage}.norm", wide)
            shapes |= conv(f"features.transition{stage}.conv", wide // 2, wide, 1)
            wide //= 2
    return shapes | batch_norm("features.norm5", wide)


def radimagenet_resnet() -> Shapes:
    """Lab-Rasool/RadImageNet: the parts of a ResNet-50 numbered by `nn.Sequential`."""
    numbers = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}
    named = ((key.partition("."), shape) for key, shape in resnet50().items())
    return {f"backbone.{numbers[first]}.{rest}": shape for (first, _, rest), shape in named}


def radimagenet_densenet() -> Shapes:
    """Lab-Rasool/RadImageNet: a DenseNet-121's features as the first part of a Sequential."""
    return {key.replace("features.", "backbone.0."): shape for key, shape in densenet().items()}


def radimagenet_inception() -> Shapes:
    """Lab-Rasool/RadImageNet: the parts of torchvision's Inception v3 numbered."""
    with torch.device("meta"):
        body = Inception3(aux_logits=False, init_weights=False)
    numbers = {name: number for number, (name, _) in enumerate(body.named_children())}
    named = ((key.partition("."), tensor.shape) for key, tensor in body.state_dict().items())
    return {
        f"backbone.{numbers[first]}.{rest}": tuple(shape)
        for (first, _, rest), shape in named
        if first != "fc"
    }


def davit(widths: tuple[int, ...], depths: tuple[int, ...] = (1, 1, 9, 1)) -> Shapes:
    """Microsoft's `DaViT` (davit_v1): MedImageInsight's image encoder."""
    shapes: Shapes = {}
    for stage, (wide, depth) in enumerate(zip(widths, depths, strict=True)):
        into, side, normed = (widths[stage - 1], 3, widths[stage - 1]) if stage else (3, 7, wide)
        shapes |= conv(f"convs.{stage}.proj", wide, into, side, bias=True)
        shapes |= norm(f"convs.{stage}.norm", normed)
        for n, kind in itertools.product(range(depth), ("spatial", "channel")):
            block = f"blocks.{stage}.{n}.{kind}_block"
            attention = f"{block}.{'window' if kind == 'spatial' else 'channel'}_attn"
            shapes |= conv(f"{block}.conv1.fn.dw", wide, 1, 3, bias=True)
            shapes |= norm(f"{attention}.norm", wide)
            shapes |= linear(f"{attention}.fn.qkv", 3 * wide, wide)
            shapes |= linear(f"{attention}.fn.proj", wide, wide)
            shapes |= conv(f"{block}.conv2.fn.dw", wide, 1, 3, bias=True)
            shapes |= norm(f"{block}.ffn.norm", wide)
            shapes |= linear(f"{block}.ffn.fn.net.fc1", 4 * wide, wide)
            shapes |= linear(f"{block}.ffn.fn.net.fc2", wide, 4 * wide)
    return shapes | norm("norms", widths[-1])


def medimageinsight() -> Shapes:
    """MedImageInsight: the image encoder beside a tower for texts."""
    tower = {f"image_encoder.{key}": shape for key, shape in davit((256, 512, 1024, 2048)).items()}
    texts: Shapes = {"image_projection": (2048, 1024), "lang_projection": (1024, 1024)}
    return tower | texts | linear("lang_encoder.resblocks.0.attn.out_proj", 1024, 1024)


def xrv(layers: tuple[int, ...] = DENSE_LAYERS, growth: int = 32) -> Shapes:
    """Torchxrayvision's `DenseNet`: one channel, 18 findings and their operating points."""
    shapes = densenet(layers, growth, chans=1)
    wide = shapes["features.norm5.weight"][0]
    return shapes | linear("classifier", FINDINGS, wide) | {"op_threshs": (FINDINGS,)}


@dataclass(frozen=True)
class Real:
    """A published model at its real size.

    Attributes:
        format: How its file is named.
        shapes: Makes its names and shapes.
        parameters: Of the network without heads and decoders, in millions, as published.
        wrap: What stands in front of every name.
    """

    format: str
    shapes: Callable[[], Shapes]
    parameters: float
    wrap: str = ""


BASE14 = Size(768, 12, 14, 37, 3072, 12)
BASE14_REG = Size(768, 12, 14, 37, 3072, 12, 4)
BASE16 = Size(768, 12, 16, 14, 3072, 12)
BASE32 = Size(768, 12, 32, 7, 3072, 12)
LARGE14 = Size(1024, 24, 14, 16, 4096, 16)
LARGE16 = Size(1024, 24, 16, 14, 4096, 16)
SO400 = Size(1152, 27, 14, 32, 4304, 16)
SAM_B = Size(768, 12, 16, 64, 3072, 12)
GIANT = Size(1536, 40, 14, 37, 4096, 24, 0, True)
OPTIMUS = Size(1536, 40, 14, 16, 4096, 24, 4, True)
UNI2 = Size(1536, 24, 14, 16, 4096, 24, 8, True)
VIRCHOW2 = Size(1280, 32, 14, 16, 3416, 16, 4, True)
EVA_TI = Size(192, 12, 16, 14, 512, 3)
EVA_S = Size(384, 12, 16, 14, 1024, 6)
EVA_B = Size(768, 12, 16, 14, 2048, 12)
GLOBAL = (2, 5, 8, 11)

REAL = {
    "UNI": Real("timm", lambda: timm_vit(LARGE16, scale=True), 303),
    "UNI2-h": Real("timm", lambda: timm_vit(UNI2, scale=True), 681),
    "Virchow2": Real("timm", lambda: timm_vit(VIRCHOW2, scale=True), 631),
    "H-optimus-0": Real("timm", lambda: timm_vit(OPTIMUS, scale=True), 1135),
    "RAD-DINO": Real("transformers_vit", lambda: transformers_vit(BASE14, dino=True), 87),
    "RAD-DINO, original names": Real("dinov2", lambda: dinov2(BASE14), 87),
    "DINOv2-B with registers": Real("dinov2", lambda: dinov2(BASE14_REG), 87),
    "DINOv2-g": Real("dinov2", lambda: dinov2(GIANT), 1136),
    "RETFound-DINOv2": Real("dinov2", lambda: dinov2(LARGE14), 303, "backbone."),
    "RETFound": Real("mae", lambda: mae(LARGE16), 303),
    "CLIP ViT-B/32": Real("clip", lambda: clip(BASE32), 87),
    "OpenCLIP ViT-L/14": Real("clip", lambda: clip(LARGE14, 768), 303, "module."),
    "BiomedCLIP": Real("open_clip", lambda: open_clip_trunk(BASE16), 86),
    "Phikon": Real("transformers_vit", lambda: transformers_vit(BASE16), 86),
    "Phikon, from memory": Real(
        "transformers_vit", lambda: transformers_vit(BASE16, new=True), 86, "vit."
    ),
    "Phikon-v2": Real(
        "transformers_vit", lambda: transformers_vit(LARGE16, dino=True, new=True), 303
    ),
    "MedSigLIP": Real("transformers_siglip", lambda: siglip(SO400), 413),
    "CLIP ViT-B/16 of transformers": Real(
        "transformers_siglip", lambda: transformers_clip(BASE16), 86
    ),
    "MedSAM": Real("sam", lambda: sam(SAM_B, whole=GLOBAL), 90),
    "MedSAM of transformers": Real("sam", lambda: transformers_sam(SAM_B, whole=GLOBAL), 90),
    "RadImageNet ResNet-50": Real("radimagenet", radimagenet_resnet, 23.5),
    "RadImageNet DenseNet-121": Real("radimagenet", radimagenet_densenet, 7),
    "RadImageNet Inception v3": Real("radimagenet", radimagenet_inception, 21.8),
    "torchxrayvision": Real("xrv", xrv, 7),
    "MedImageInsight": Real("davit", medimageinsight, 361),
    "EVA-X-Ti": Real("eva_x", lambda: eva_x(EVA_TI, split=False), 5.5),
    "EVA-X-S": Real("eva_x", lambda: eva_x(EVA_S, split=False), 22),
    "EVA-X-B": Real("eva_x", lambda: eva_x(EVA_B, split=True), 86),
}
