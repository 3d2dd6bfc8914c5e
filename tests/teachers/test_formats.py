"""Published checkpoints: every name and shape is matched, and the values are the original's.

At the real size on the meta device, without a number; with numbers at a small size. The original
libraries' answers stand in `reference.json` (`make_reference` wrote it).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import DenseNet, Inception3
from torchvision.models.resnet import Bottleneck, ResNet

from core.teachers.base import Teacher, build_network
from core.teachers.catalogue import list_teachers
from core.teachers.checkpoint import fill_network
from core.teachers.formats.base import FORMATS, Guess
from core.teachers.formats.names import strip
from core.teachers.spec import TeacherSpec
from tests.teachers import published
from tests.teachers.make_reference import (
    DAVIT_DEPTHS,
    DAVIT_PX,
    DAVIT_WIDTHS,
    DAVIT_WINDOW,
    NECK,
    WHOLE,
    WINDOW,
    XRV_GROWTH,
    XRV_LAYERS,
    kept,
    picture,
)
from tests.teachers.published import REAL, SMALL, fill, meta

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))
REGISTERS = published.Size(32, 2, 8, 4, 64, 2, 3)


def spec_for(guess: Guess, **changes: Any) -> TeacherSpec:
    """A specification of what was guessed, that leaves the picture as it is."""
    facts = {
        "name": "n", "title": "t", "architecture": guess.architecture, "options": guess.options,
        "source": "file", "location": "f", "image_px": guess.image_px,
        "in_chans": guess.in_chans, "mean": (0.0,) * 3, "std": (1.0,) * 3, "taps": (1,),
        "licence": "l", "licence_note": "n",
    }  # fmt: skip
    return TeacherSpec.model_validate(facts | changes)


@pytest.mark.parametrize("name", REAL)
def test_every_name_and_shape_of_the_real_model_is_matched(name: str) -> None:
    real = REAL[name]
    state = {real.wrap + key: tensor for key, tensor in meta(real.shapes()).items()}
    fmt = FORMATS.get(real.format)
    assert fmt.recognises(state)
    guess = fmt.guess(state)[0]
    with torch.device("meta"):
        network = build_network(spec_for(guess))
    converted = fmt.convert(state, network)
    own = network.state_dict()
    parameters = {key for key, _ in network.named_parameters()}
    assert parameters - converted.keys() == set()
    assert converted.keys() - own.keys() == set()
    assert [key for key in converted if converted[key].shape != own[key].shape] == []
    total = sum(own[key].numel() for key in parameters)
    assert total == pytest.approx(1e6 * real.parameters, rel=0.02)


def run(name: str, shapes: published.Shapes, **options: Any) -> Tensor:
    """The last map of the small network, recognised, converted and filled."""
    state = fill(shapes)
    fmt = FORMATS.get(name)
    assert fmt.recognises(state)
    guess = fmt.guess(state)[0]
    guess.options.update(options)
    spec = spec_for(guess)
    network = build_network(spec)
    fill_network(network, fmt.convert(state, network), "small")
    return Teacher(spec, network)(picture(guess.in_chans, spec.image_px))[-1]


SMALL_VITS = {
    "transformers_vit": ("transformers_vit", published.transformers_vit(SMALL, new=True)),
    "transformers_dinov2": (
        "transformers_vit", published.transformers_vit(SMALL, dino=True, new=True),
    ),
    "transformers_registers": (
        "transformers_vit", published.transformers_vit(REGISTERS, dino=True, new=True),
    ),
    "transformers_siglip": ("transformers_siglip", published.siglip(SMALL)),
    "transformers_clip": ("transformers_siglip", published.transformers_clip(SMALL)),
    "clip": ("clip", published.clip(SMALL, 16)),
}  # fmt: skip
"""Name in the reference to the format and the file."""

DINOV2_TO_TRANSFORMERS = (
    (r"^blocks\.", "encoder.layer."),
    (r"attn\.qkv", "attention.qkv"),
    (r"attn\.proj", "attention.o_proj"),
    (r"ls(\d)\.gamma", r"layer_scale\1.lambda1"),
    (r"^patch_embed\.proj", "embeddings.patch_embeddings.projection"),
    (r"^(cls_token|mask_token|register_tokens)", r"embeddings.\1"),
    (r"^pos_embed", "embeddings.position_embeddings"),
    (r"^norm\.", "layernorm."),
)


@pytest.mark.parametrize("name", SMALL_VITS)
def test_features_equal_the_original_librarys(name: str) -> None:
    fmt, shapes = SMALL_VITS[name]
    shapes = {key.removeprefix("vision_model."): shape for key, shape in shapes.items()}
    found = run(fmt, shapes, num_heads=2)
    assert kept(found) == pytest.approx(REFERENCE[name]["kept"], abs=1e-5)


@pytest.mark.parametrize("dino", [False, True])
def test_names_on_disk_and_in_memory_are_the_same_network(dino: bool) -> None:
    old, new = (published.transformers_vit(SMALL, dino=dino, new=new) for new in (False, True))
    numbers = fill(new)
    state = {name: numbers[other] for name, other in zip(old, new, strict=True)}
    fmt = FORMATS.get("transformers_vit")
    guess = fmt.guess(state)[0]
    network = build_network(spec_for(guess))
    converted = fmt.convert(state, network)
    for key, tensor in fmt.convert(numbers, network).items():
        assert torch.equal(converted[key], tensor), key


@pytest.mark.parametrize("registers", [0, 3])
def test_dinov2s_own_names_give_the_features_of_transformers(registers: int) -> None:
    size = REGISTERS if registers else SMALL
    numbers = fill(published.transformers_vit(size, dino=True, new=True))
    own = {}
    for name, shape in published.dinov2(size).items():
        other = name
        for old, new in DINOV2_TO_TRANSFORMERS:
            other = re.sub(old, new, other)
        parts = [other.replace("qkv", f"{part}_proj") for part in "qkv"]
        own[name] = torch.cat([numbers[part] for part in (parts if "qkv" in other else [other])])
        assert own[name].shape == shape
    fmt = FORMATS.get("dinov2")
    guess = fmt.guess(own)[0]
    guess.options["num_heads"] = 2
    network = build_network(spec_for(guess))
    fill_network(network, fmt.convert(own, network), "small")
    found = Teacher(spec_for(guess), network)(picture())[-1]
    name = "transformers_registers" if registers else "transformers_dinov2"
    assert kept(found) == pytest.approx(REFERENCE[name]["kept"], abs=1e-5)


@pytest.mark.parametrize("name", ["sam", "transformers_sam"])
def test_the_image_encoder_of_sam_equals_the_originals(name: str) -> None:
    made = getattr(published, name)(SMALL, WINDOW, NECK, whole=WHOLE)
    prefix = "image_encoder." if name == "sam" else "vision_encoder."
    fmt = FORMATS.get("sam")
    state = fill(made)
    network = build_network(
        spec_for(
            Guess("samvit_base_patch16", {
                "norm_eps": 1e-6, "embed_dim": 32, "depth": 2, "num_heads": 2, "mlp_ratio": 2,
                "patch_size": 8, "window_size": WINDOW, "global_attn_indexes": WHOLE,
                "neck_chans": NECK, "img_size": 32,
            })
        )
    )  # fmt: skip
    assert any(key.startswith(prefix) for key in state)
    fill_network(network, fmt.convert(state, network), "small")
    found = Teacher(spec_for(Guess("samvit_base_patch16")), network)(picture())[-1]
    assert kept(found) == pytest.approx(REFERENCE[name]["kept"], abs=1e-5)


def test_the_image_encoder_of_medimageinsight_equals_florences() -> None:
    fmt, state = FORMATS.get("davit"), fill(published.davit(DAVIT_WIDTHS, DAVIT_DEPTHS))
    guess = fmt.guess(state)[0]
    assert guess.architecture == "davit_base_fl"
    options = {"embed_dims": DAVIT_WIDTHS, "depths": DAVIT_DEPTHS, "num_heads": (4,) * 4,
               "window_size": DAVIT_WINDOW}  # fmt: skip
    spec = spec_for(Guess(guess.architecture, options, DAVIT_PX), taps=(3,))
    network = build_network(spec)
    fill_network(network, fmt.convert(state, network), "small")
    found = Teacher(spec, network)(picture(side=DAVIT_PX))[-1]
    assert kept(found) == pytest.approx(REFERENCE["davit"]["kept"], rel=1e-5, abs=1e-5)


def test_torchxrayvision_sees_one_channel_in_its_own_range() -> None:
    fmt, state = FORMATS.get("xrv"), fill(published.xrv(XRV_LAYERS, XRV_GROWTH))
    guess = fmt.guess(state)[0]
    options = {"block_config": XRV_LAYERS, "growth_rate": XRV_GROWTH}
    spec = spec_for(Guess(guess.architecture, options, 64, 1), value_range=(-1024.0, 1024.0),
                    taps=(4,))  # fmt: skip
    network = build_network(spec)
    fill_network(network, fmt.convert(state, network), "small")
    teacher = Teacher(spec, network)
    found = teacher(picture(1, 64))[-1]
    assert kept(found) == pytest.approx(REFERENCE["xrv"]["kept"], rel=1e-5, abs=1e-5)
    grey = picture(1, 64)
    torch.testing.assert_close(teacher(grey.expand(-1, 3, -1, -1))[-1], found)
    torch.testing.assert_close(teacher.prepare(grey).amin(), grey.amin() * 2048 - 1024)


@torch.no_grad()
def test_radimagenets_numbered_resnet_equals_torchvisions() -> None:
    torch.manual_seed(0)
    original = ResNet(Bottleneck, [1, 1, 1, 1], num_classes=3).eval()
    body = nn.Sequential(*list(original.children())[:-2])
    state = {f"backbone.{key}": tensor for key, tensor in body.state_dict().items()}
    fmt = FORMATS.get("radimagenet")
    assert fmt.guess(state)[0].architecture == "resnet50"
    spec = spec_for(Guess("resnet50", {"layers": (1, 1, 1, 1)}, 64), taps=(4,))
    network = build_network(spec)
    fill_network(network, fmt.convert(state, network), "small")
    found = Teacher(spec, network)(picture(side=64))[-1]
    torch.testing.assert_close(found, body(picture(side=64)), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_radimagenets_numbered_densenet_equals_torchvisions() -> None:
    torch.manual_seed(0)
    features = DenseNet(4, (1, 1, 1, 1), 8).features.eval()
    state = {f"backbone.0.{key}": tensor for key, tensor in features.state_dict().items()}
    fmt = FORMATS.get("radimagenet")
    assert fmt.guess(state)[0].architecture == "densenet121"
    options = {"block_config": (1, 1, 1, 1), "growth_rate": 4}
    spec = spec_for(Guess("densenet121", options, 64), taps=(4,))
    network = build_network(spec)
    fill_network(network, fmt.convert(state, network), "small")
    found = Teacher(spec, network)(picture(side=64))[-1]
    torch.testing.assert_close(found, features(picture(side=64)).relu(), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_radimagenets_numbered_inception_equals_torchvisions() -> None:
    torch.manual_seed(0)
    original = Inception3(3, aux_logits=False, init_weights=False).eval()
    body = nn.Sequential(*list(original.children())[:-3])
    state = {f"backbone.{key}": tensor for key, tensor in body.state_dict().items()}
    fmt = FORMATS.get("radimagenet")
    assert fmt.guess(state)[0].architecture == "inception_v3"
    spec = spec_for(Guess("inception_v3", image_px=96), taps=(4,))
    network = build_network(spec)
    fill_network(network, fmt.convert(state, network), "small")
    found = Teacher(spec, network)(picture(side=96))[-1]
    torch.testing.assert_close(found, body(picture(side=96)), atol=1e-5, rtol=1e-5)


def test_the_decoder_of_an_autoencoder_changes_nothing() -> None:
    whole = fill(published.mae(SMALL, decoder=16, decoder_depth=1))
    body = {key: tensor for key, tensor in whole.items() if key in published.timm_vit(SMALL)}
    maps = []
    trunk = {f"visual.trunk.{key}": tensor for key, tensor in body.items()}
    for name, state in (("mae", whole), ("timm", body), ("open_clip", trunk)):
        fmt = FORMATS.get(name)
        assert fmt.recognises(state)
        guess = fmt.guess(state)[0]
        network = build_network(spec_for(guess))
        fill_network(network, fmt.convert(state, network), "small")
        maps.append(Teacher(spec_for(guess), network)(picture())[-1])
    assert torch.equal(maps[0], maps[1])
    assert torch.equal(maps[0], maps[2])


@torch.no_grad()
@pytest.mark.parametrize("split", [False, True])
def test_eva_x_computes_its_gated_layer_and_keeps_its_last_norm(split: bool) -> None:
    wide = 192 if not split else 768  # the two kinds go by width
    size = published.Size(wide, 1, 16, 2, int(wide * 4 * 2 / 3), wide // 64)
    state = fill(published.eva_x(size, split=split))
    fmt = FORMATS.get("eva_x")
    guess = fmt.guess(state)[0]
    network = build_network(spec_for(guess))
    fill_network(network, fmt.convert(state, network), "small")
    assert torch.equal(network.get_parameter("norm.weight"), state["norm.weight"])
    x = torch.randn(1, 3, wide, generator=torch.Generator().manual_seed(0))

    def layer(name: str, value: Tensor) -> Tensor:
        return value @ state[f"blocks.0.mlp.{name}.weight"].T + state[f"blocks.0.mlp.{name}.bias"]

    gated = nn.functional.silu(layer("w1", x)) * layer("w2", x)
    if split:
        weight, bias = (state[f"blocks.0.mlp.ffn_ln.{kind}"] for kind in ("weight", "bias"))
        gated = nn.functional.layer_norm(gated, (size.hidden,), weight, bias, 1e-6)
    found = network.get_submodule("blocks.0.mlp")(x)
    torch.testing.assert_close(found, layer("w3", gated), atol=1e-4, rtol=1e-5)


def test_what_stands_in_front_of_the_names_is_found_not_listed() -> None:
    names = {"conv1.weight", "layer1.0.bn1.weight"}
    state = {f"any.wrapper.at_all.{name}": torch.zeros(1) for name in names}
    assert strip(state | {"head.weight": torch.zeros(1)}, names).keys() == names
    assert strip({"other": torch.zeros(1)}, names).keys() == {"other"}


def test_of_two_networks_in_a_file_the_averaged_one_is_taken() -> None:
    state = {"student.conv1.weight": torch.zeros(1), "teacher.conv1.weight": torch.ones(1)}
    assert strip(state, {"conv1.weight"})["conv1.weight"] == 1


@pytest.mark.parametrize("spec", list_teachers(), ids=lambda spec: str(spec.name))
def test_every_catalogue_entry_can_be_built_on_the_meta_device(spec: TeacherSpec) -> None:
    with torch.device("meta"):
        network: Any = build_network(spec)
    assert max(spec.taps) < len(network.feature_info)
    assert spec.licence_note
    assert spec.facts or spec.source == "bundled"
