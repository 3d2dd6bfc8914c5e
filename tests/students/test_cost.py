"""The cost card: known values, and a machine left as it was found."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.machine import machine_name
from core.students.cost import measure_cost, measure_module


def test_a_linear_layer_costs_what_it_must() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(48, 10, bias=False))
    card = measure_module(module, torch.zeros(1, 3, 4, 4), threads=1)
    assert card.parameters == 480
    assert card.multiply_adds == 480
    assert card.megabytes == pytest.approx(480 * 4e-6)
    assert card.repeats == 20


def test_attention_is_counted() -> None:
    card = measure_cost("vit_tiny", 2, 64, threads=1)
    tokens, width, depth = 16, 192, 12
    blocks = depth * (12 * tokens * width**2 + 2 * tokens**2 * width)
    assert card.multiply_adds == pytest.approx(blocks + tokens * width * 768, rel=0.01)


def test_threads_mode_and_random_numbers_are_left_alone() -> None:
    torch.set_num_threads(1)
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)).train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert measure_module(module, torch.rand(1, 1, 4, 4) * 0, threads=2).threads == 2
    torch.manual_seed(3)
    measure_cost("mobilenetv3_small_050", 2, 32, threads=1)
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == 1
    assert module.training
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_the_mode_is_restored_when_the_network_fails() -> None:
    module = nn.Linear(3, 3).train()
    with pytest.raises(RuntimeError):
        measure_module(module, torch.zeros(1, 5), threads=1)
    assert module.training


def test_the_machine_is_described_without_its_name() -> None:
    import platform

    assert "cores" in machine_name()
    assert platform.node() not in machine_name()
