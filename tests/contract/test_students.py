"""What every student in the registry promises to training, evaluation and export."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.students.base import Student, build_student, guard_batch_norm
from core.students.cost import count_multiply_adds, measure_module
from core.students.spec import STUDENTS

SIDE = 64
CLASSES = 3
NAMES = STUDENTS.names()
STAGES = [(name, stage) for name in NAMES for stage in range(4)]
built: dict[str, Student] = {}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def student_for(name: str) -> Student:
    """One instance of each student, in evaluation mode; tests leave it as they found it."""
    if name not in built:
        torch.manual_seed(0)
        built[name] = build_student(name, CLASSES, SIDE)
    return built[name].eval()


def pictures(count: int, channels: int = 1, side: int = SIDE) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(1))


def test_the_promised_students_are_there() -> None:
    promised = {
        "mobilenetv3_small_050", "mobilenetv3_small_100", "resnet10t", "resnet18",
        "efficientnet_b0", "vit_tiny", "resnet50",
    }  # fmt: skip
    assert promised <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_entries_speak_to_a_physician(name: str) -> None:
    spec = STUDENTS.get(name)
    assert spec.name == name
    assert spec.title
    assert spec.family
    assert spec.summary.endswith(".")
    assert spec.default_px % spec.patch_px == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_work_of_an_entry_is_what_is_counted(name: str) -> None:
    spec = STUDENTS.get(name)
    student = build_student(name, 2, spec.default_px)
    counted = count_multiply_adds(student, torch.zeros(1, 3, spec.default_px, spec.default_px))
    assert counted / 1e6 == pytest.approx(spec.work, rel=0.02, abs=0.5)


@pytest.mark.parametrize(("name", "stage"), STAGES)
@torch.no_grad()
def test_encode_and_tail_are_the_forward_pass(name: str, stage: int) -> None:
    student = student_for(name)
    images = pictures(2)
    logits = student(images)
    assert logits.shape == (2, CLASSES)
    assert torch.isfinite(logits).all()
    assert torch.equal(student.tail(student.encode(images)[stage], stage), logits)


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_a_hybrid_loss_has_a_gradient_on_the_reprogrammed_map(name: str, stage: int) -> None:
    student = student_for(name).train()
    with torch.no_grad(), guard_batch_norm(student):
        reprogrammed = student.encode(pictures(2))[stage]
    reprogrammed = (reprogrammed + 0.1 * torch.rand_like(reprogrammed)).requires_grad_()
    with guard_batch_norm(student):
        logits = student.tail(reprogrammed, stage)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 2]))
    (gradient,) = torch.autograd.grad(loss, reprogrammed)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_the_guard_leaves_every_statistic_alone(name: str) -> None:
    student = student_for(name).train()
    before = {key: value.clone() for key, value in student.state_dict().items()}
    with guard_batch_norm(student):
        alone, together = (student(images)[:2] for images in (pictures(4)[:2], pictures(4)))
    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
    normalises = any("running_mean" in key for key in before)
    if normalises:  # batch statistics were used: the company of other images matters
        assert not torch.allclose(alone, together, atol=1e-6)
        student(pictures(4))
        after = student.state_dict()
        assert all(
            not torch.equal(value, before[key]) for key, value in after.items() if "running" in key
        )
        student.load_state_dict(before)


@pytest.mark.parametrize("side", [64, 96])
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_maps_are_as_declared(name: str, side: int) -> None:
    student = student_for(name) if side == SIDE else build_student(name, CLASSES, side).train()
    training = student.training
    grid = student.grid(side)
    assert student.training == training
    maps = student.eval().encode(pictures(1, 3, side))
    assert [tuple(found.shape) for found in maps] == [
        (1, channels, *cells) for channels, cells in zip(student.channels, grid, strict=True)
    ]
    assert student.positive == all(bool((found >= 0).all()) for found in maps)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_one_channel_is_three_equal_ones(name: str) -> None:
    student = student_for(name)
    images = pictures(1)
    assert torch.equal(student(images), student(images.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_channels_last_gives_the_same_answer(name: str) -> None:
    student = student_for(name)
    images = pictures(2, 3)
    logits = student(images)
    student.to(memory_format=torch.channels_last)
    again = student(images.contiguous(memory_format=torch.channels_last))
    student.to(memory_format=torch.contiguous_format)
    torch.testing.assert_close(again, logits, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_weights_survive_a_file_and_fit_plain_timm(name: str, tmp_path: Path) -> None:
    student = student_for(name)
    images = pictures(2, 3)
    save_file(student.timm_state(), tmp_path / "model.safetensors")
    state = load_file(tmp_path / "model.safetensors")

    again = build_student(name, CLASSES, SIDE).eval()
    again.load_state_dict(again.own_names(state))
    assert torch.equal(again(images), student(images))

    spec = STUDENTS.get(name)
    plain = timm.create_model(
        spec.architecture, pretrained=False, **spec.architecture_options(CLASSES, SIDE)
    )
    plain.load_state_dict(state)
    logits = plain.eval()((images - student.mean) / student.std)
    torch.testing.assert_close(logits, student(images), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_cost_can_be_measured(name: str) -> None:
    student = student_for(name)
    card = measure_module(student, pictures(1), threads=1)
    assert card.parameters == sum(parameter.numel() for parameter in student.parameters())
    assert card.megabytes == pytest.approx(card.parameters * 4e-6, rel=0.05)
    assert 1e6 < card.multiply_adds < 1e9
    assert 0 < card.latency_low <= card.latency_ms <= card.latency_high
