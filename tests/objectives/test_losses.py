"""Each term against its formula."""

from __future__ import annotations

import pytest
import torch

from core.config_method import MethodSettings, Schedule
from core.objectives.agreement import divergence
from core.objectives.base import OBJECTIVES, StepOutputs
from core.types import Task


def test_divergence_is_zero_only_where_both_agree() -> None:
    z = torch.tensor([[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]])
    assert divergence(z, z + 7, Task.MULTICLASS, 1.0).item() == pytest.approx(0, abs=1e-6)
    assert divergence(z, -z, Task.MULTICLASS, 1.0) > 0


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_divergence_equals_the_written_formula(temperature: float) -> None:
    teacher, student = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    p, q = ((z / temperature).softmax(1) for z in (teacher, student))
    expected = temperature**2 * (p * (p / q).log()).sum()
    found = divergence(teacher, student, Task.MULTICLASS, temperature)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_divergence_of_findings_is_that_of_bernoulli_variables() -> None:
    teacher, student = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.0, 1.0]])
    p, q = teacher.sigmoid(), student.sigmoid()
    expected = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    found = divergence(teacher, student, Task.MULTILABEL, 1.0)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_schedule_falls_linearly_and_stays() -> None:
    schedule = Schedule(start=1.0, end=0.0, over=0.5)
    assert [schedule.at(t) for t in (0, 0.25, 0.5, 1.0)] == [1.0, 0.5, 0.0, 0.0]


def test_detaching_stops_the_gradient_at_the_hybrid_logits() -> None:
    hybrid = torch.randn(8, 2, requires_grad=True)
    student = torch.randn(8, 2, requires_grad=True)
    made = StepOutputs(
        Task.MULTICLASS, torch.zeros(8, dtype=torch.long), torch.ones(2), student, [hybrid], [], []
    )
    loss = OBJECTIVES.get("agreement")(made, MethodSettings(detach_hybrid=True))
    assert loss is not None
    loss.backward()
    assert hybrid.grad is None
    assert student.grad is not None


def test_no_cka_term_below_eight_images() -> None:
    maps = [torch.randn(7, 4)]
    made = StepOutputs(
        Task.MULTICLASS, torch.zeros(7, dtype=torch.long), torch.ones(2), torch.randn(7, 2),
        [torch.randn(7, 2)], maps, maps,
    )  # fmt: skip
    assert OBJECTIVES.get("cka")(made, MethodSettings()) is None
