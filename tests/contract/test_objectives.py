"""What every objective promises, whichever file it is in."""

from __future__ import annotations

import pytest
import torch

from core.config import MethodSettings
from core.objectives.base import OBJECTIVES, StepOutputs
from core.objectives.methods import METHODS
from core.types import Task


def outputs(task: Task, images: int = 12, classes: int = 3) -> StepOutputs:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).requires_grad_()

    targets = torch.arange(images) % classes
    if task is Task.MULTILABEL:
        targets = torch.nn.functional.one_hot(targets, classes).float()
    return StepOutputs(
        task, targets, torch.ones(classes), draw(images, classes), [draw(images, classes)],
        [draw(images, 7)], [draw(images, 7)],
    )  # fmt: skip


@pytest.mark.parametrize("name", OBJECTIVES.names())
@pytest.mark.parametrize("task", list(Task))
def test_is_a_finite_scalar_with_finite_gradients(name: str, task: Task) -> None:
    made = outputs(task)
    loss = OBJECTIVES.get(name)(made, MethodSettings())
    assert loss is not None
    assert loss.shape == ()
    assert loss >= 0
    loss.backward()
    leaves = [made.logits, *made.hybrid, *made.student, *made.reprogrammed]
    gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_weight_is_finite_over_the_whole_schedule(name: str) -> None:
    weights = [OBJECTIVES.get(name).weight(MethodSettings(), t / 10) for t in range(11)]
    assert all(0 <= weight <= 1 for weight in weights)
    assert sorted(weights, reverse=True) == weights


def test_every_method_names_objectives_that_exist() -> None:
    for method in METHODS.values():
        assert set(method.terms) <= set(OBJECTIVES.names())
        assert method.needs_teacher == (method.terms != ("task",))


def test_every_objective_is_used() -> None:
    assert {term for method in METHODS.values() for term in method.terms} == set(OBJECTIVES.names())
