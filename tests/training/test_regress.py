"""The error of a prediction that is never made equals that of one that is."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from core.training.regress import Regressor
from core.training.reprogram import match_grid


def plain_error(regress: Regressor, features: Tensor, target: Tensor) -> Tensor:
    """As it is written in the paper."""
    predicted = regress.map(match_grid(features, regress.grid))
    return F.mse_loss(predicted, target) / target.square().mean()


@pytest.mark.parametrize("grid", [(4, 4), (3, 2), (8, 8)])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_error_and_gradients_are_those_of_the_prediction(
    grid: tuple[int, int], scale: float
) -> None:
    torch.manual_seed(0)
    regress = Regressor(6, 20, grid).double().train()
    torch.nn.init.normal_(regress.map[1].weight)
    torch.nn.init.normal_(regress.map[1].bias)
    twin = copy.deepcopy(regress)
    features = (torch.randn(5, 6, 4, 4).double() + 3).requires_grad_()
    target = scale * torch.randn(5, 20, *grid).double()
    own, plain = regress(features, target), plain_error(twin, features, target)
    assert own.item() == pytest.approx(plain.item(), rel=1e-9)
    leaves, others = ([features, *each.parameters()] for each in (regress, twin))
    for left, right in zip(
        torch.autograd.grad(own, leaves), torch.autograd.grad(plain, others), strict=True
    ):
        torch.testing.assert_close(left, right, rtol=1e-7, atol=1e-9)


def test_a_larger_teacher_weighs_the_same() -> None:
    torch.manual_seed(0)
    regress = Regressor(6, 20, (4, 4)).double().train()
    features, target = torch.randn(5, 6, 4, 4).double(), torch.randn(5, 20, 4, 4).double()
    before = regress(features, target).item()
    with torch.no_grad():
        for scaled in regress.map[1].parameters():
            scaled *= 100
    assert regress(features, 100 * target).item() == pytest.approx(before)


def test_constant_maps_give_a_finite_error() -> None:
    regress = Regressor(6, 20, (4, 4)).train()
    features = torch.ones(5, 6, 4, 4, requires_grad=True)
    for target in (torch.ones(5, 20, 4, 4), torch.zeros(5, 20, 4, 4)):
        error = regress(features, target)
        error.backward()
        assert torch.isfinite(error)
        assert features.grad is not None
        assert torch.isfinite(features.grad).all()
