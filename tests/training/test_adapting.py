"""A teacher fitted to the labels by low-rank adapters, and taught from after that."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from core.errors import ModelError, TrainingError
from core.teachers.base import Teacher
from core.teachers.lora import (
    LowRank,
    adapted_layers,
    adapter_parameters,
    merged,
    save_adapter,
    with_adapter,
)
from core.teachers.spec import TeacherSpec
from core.training.adapting import adapt_teacher
from core.types import Stopped
from tests.tiny import ListReporter
from tests.training.conftest import Bench


def vit() -> Teacher:
    torch.manual_seed(0)
    network = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, embed_dim=24, depth=2, num_heads=2, num_classes=0
    )
    spec = TeacherSpec(
        name="vit", title="ViT", architecture="vit_tiny_patch16_224", source="file", location="x",
        image_px=32, mean=(0.5,) * 3, std=(0.25,) * 3, taps=(0, 1), licence="MIT", licence_note="",
    )  # fmt: skip
    return Teacher(spec, network)


def shake(teacher: Teacher) -> None:
    """Give an untrained adapter something to say."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in adapter_parameters(teacher):
            parameter.normal_(std=0.1)


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_an_adapter_starts_as_nothing_and_merges_to_the_same_answers(
    kind: str, bench: Bench, tmp_path: Path
) -> None:
    plain = vit() if kind == "vit" else bench.teacher
    images = torch.rand(2, 1, plain.spec.image_px, plain.spec.image_px)
    before = plain(images)[-1]
    adapted = with_adapter(plain, 4, 8.0)
    assert torch.equal(adapted(images)[-1], before)
    shake(adapted)
    said = adapted(images)[-1]
    assert not torch.allclose(said, before, atol=1e-3)
    save_adapter(adapted, tmp_path / "adapter.safetensors")
    again = merged(plain, tmp_path / "adapter.safetensors")
    torch.testing.assert_close(again(images)[-1], said, rtol=1e-4, atol=1e-5)
    assert torch.equal(plain(images)[-1], before)
    assert len(again.spec.adapter) == 64
    assert plain.spec.adapter == ""


def test_attention_gets_adapters_and_else_every_ungrouped_convolution() -> None:
    network = vit().network
    assert adapted_layers(network) == [
        f"blocks.{block}.attn.{name}" for block in (0, 1) for name in ("qkv", "proj")
    ]
    mobile = timm.create_model("mobilenetv3_small_050", num_classes=0)
    chosen = adapted_layers(mobile)
    assert chosen
    assert all(mobile.get_submodule(name).groups == 1 for name in chosen)
    with pytest.raises(ModelError, match="no layers"):
        with_adapter(Teacher(vit().spec, nn.Sequential(nn.ReLU())), 4, 4.0)


def test_known_values() -> None:
    """A kernel's adapter is a convolution to `rank` channels and one of 1 x 1 back, as in peft."""
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 5, 3, bias=False)
    adapter = LowRank(layer.weight, 2, 0.5)
    nn.init.normal_(adapter.up)
    images = torch.rand(1, 3, 8, 8)
    whole = nn.functional.conv2d(images, adapter(layer.weight))
    inner = nn.functional.conv2d(images, adapter.down.view(2, 3, 3, 3))
    expected = layer(images) + 0.5 * nn.functional.conv2d(inner, adapter.up.view(5, 2, 1, 1))
    torch.testing.assert_close(whole, expected)


def test_fitting_lowers_the_loss_and_leaves_the_teacher_alone(bench: Bench, tmp_path: Path) -> None:
    config = bench.config("lora_kd")
    weights = copy.deepcopy(bench.teacher.state_dict())
    session = bench.session(tmp_path, config)
    assert session.teacher is not None
    assert session.teacher is not bench.teacher
    now = bench.teacher.state_dict()
    assert all(torch.equal(weights[name], now[name]) for name in weights)
    adapter = load_file(tmp_path / "adapter.safetensors")
    assert any(float(value.abs().max()) > 0 for name, value in adapter.items() if "up" in name)
    plain = bench.session(tmp_path / "plain", bench.config("kd"))
    assert session.request is not None
    assert plain.request is not None
    assert session.request.key(session.teacher) != plain.request.key(bench.teacher)
    session.train()


def test_interrupted_it_ends_with_the_same_adapter(bench: Bench, tmp_path: Path) -> None:
    config = bench.config("lora_kd")
    bench.session(tmp_path / "whole", config)
    with pytest.raises(Stopped):
        bench.session(tmp_path / "cut", config, Impatient())
    assert not (tmp_path / "cut" / "adapter.safetensors").exists()
    torch.manual_seed(77)
    bench.session(tmp_path / "cut", config)
    left, right = (load_file(tmp_path / name / "adapter.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert not list((tmp_path / "cut").glob("*.unfinished"))


class Impatient(ListReporter):
    """Asks to stop in the third pass over the images, once fitting has begun."""

    def stop_requested(self) -> bool:
        return self.steps >= 7


def test_what_is_no_number_is_said(bench: Bench, tmp_path: Path) -> None:
    config = bench.config("lora_kd")
    wild = config.model_copy(
        update={"method": config.method.model_copy(update={"lora_rate": 1e30})}
    )
    cache = bench.session(tmp_path / "plain", bench.config("student_only")).cache
    with pytest.raises(TrainingError) as caught:
        adapt_teacher(
            wild, bench.dataset, cache, bench.teacher, tmp_path / "adapter.safetensors",
            ListReporter(),
        )  # fmt: skip
    assert caught.value.code == "T45"


def test_a_damaged_adapter_is_said(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "adapter.safetensors"
    file.write_bytes(b"torn")
    with pytest.raises(ModelError) as caught:
        merged(bench.teacher, file)
    assert caught.value.code == "M06"
    save_file({"stem.down": torch.ones(1, 1)}, file, metadata={"scale": "1.0"})
    with pytest.raises(ModelError) as caught:
        merged(bench.teacher, file)
    assert caught.value.code == "M06"
