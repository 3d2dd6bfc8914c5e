"""What every objective and every method promises, whichever file it is in."""

from __future__ import annotations

import copy
import functools
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from core.config_method import MethodSettings
from core.objectives.base import OBJECTIVES, StepOutputs
from core.objectives.methods import METHODS, find_method, stages_in_use
from core.students.base import Student, build_student
from core.training.batches import Batch
from core.training.model import DistillationModel
from core.types import Task

SIDE, IMAGES, CLASSES = 32, 12, 3
# a CNN whose teacher's map is finer than its own, and a ViT whose teacher's is coarser
PAIRS = {"mobilenetv3_small_050": (24, 5, 5), "vit_tiny": (24, 1, 1)}


@functools.cache
def student_for(name: str) -> Student:
    torch.manual_seed(0)
    return build_student(name, CLASSES, SIDE)


def targets(task: Task, classes: int = CLASSES) -> Tensor:
    indices = torch.arange(IMAGES) % classes
    return F.one_hot(indices, classes).float() if task is Task.MULTILABEL else indices


def outputs(task: Task, classes: int = CLASSES) -> StepOutputs:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(IMAGES, *shape, generator=generator).requires_grad_()

    error = torch.tensor(0.5, requires_grad=True)
    return StepOutputs(
        task, targets(task, classes), torch.ones(classes), draw(classes), [draw(classes)],
        [draw(7)], [draw(7)], [draw(7, 2, 2)], [error], [draw(5, 2, 2).detach()],
        draw(classes).detach(),
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
    leaves += [*made.maps, *made.errors]
    gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", OBJECTIVES.names())
@pytest.mark.parametrize("task", list(Task))
def test_survives_features_and_answers_that_are_all_alike(name: str, task: Task) -> None:
    made = outputs(task)
    alike = {
        key: [torch.ones_like(found, requires_grad=True) for found in getattr(made, key)]
        for key in ("hybrid", "student", "reprogrammed", "maps", "errors", "teacher")
    }
    same = torch.zeros_like(made.logits)
    made = replace(made, **alike, logits=same.clone().requires_grad_(), answers=same)
    loss = OBJECTIVES.get(name)(made, MethodSettings())
    assert loss is not None
    assert torch.isfinite(loss)
    loss.backward()
    leaves = [made.logits, *(leaf for found in alike.values() for leaf in found)]
    assert all(torch.isfinite(leaf.grad).all() for leaf in leaves if leaf.grad is not None)


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_weight_never_rises_and_is_never_negative(name: str) -> None:
    weights = [OBJECTIVES.get(name).weight(MethodSettings(), t / 10) for t in range(11)]
    assert all(weight >= 0 for weight in weights)
    assert sorted(weights, reverse=True) == weights


@pytest.mark.parametrize("name", METHODS)
def test_every_method_speaks_to_a_physician_and_names_objectives_that_exist(name: str) -> None:
    method = METHODS[name]
    assert set(method.terms) <= set(OBJECTIVES.names())
    assert method.needs_teacher == (method.terms != ("task",))
    assert method.about.endswith(".")
    assert name in (MethodSettings.model_fields["name"].description or "")


def test_every_objective_is_used() -> None:
    assert {term for method in METHODS.values() for term in method.terms} == set(OBJECTIVES.names())


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("student", PAIRS)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_computes_what_its_terms_read_and_each_reaches_the_student(
    name: str, student: str, task: Task
) -> None:
    method, shape = find_method(name), PAIRS[student]
    torch.manual_seed(0)
    built = copy.deepcopy(student_for(student))
    used = stages_in_use(method, len(built.stages))
    model = DistillationModel(built, method, [shape] * len(used), SIDE).train()
    maps = [torch.randn(IMAGES, *shape) for _ in used]
    answers = torch.randn(IMAGES, CLASSES) if "probe" in method.uses else None
    batch = Batch(torch.rand(IMAGES, 1, SIDE, SIDE), targets(task), maps, answers)
    passes = model.unpack(model(batch.images, batch.teacher_maps))
    made = passes.beside(batch, task, torch.ones(CLASSES))
    computed = {key for key in ("hybrid", "maps", "errors") if getattr(made, key)}
    assert computed == set(method.uses) - {"probe"}
    for term in method.terms:
        loss = OBJECTIVES.get(term)(made, MethodSettings(name=name))
        assert loss is not None, term
        model.zero_grad()
        loss.backward(retain_graph=True)
        gradients = [p.grad for p in built.parameters() if p.grad is not None]
        assert any(gradient.abs().sum() > 0 for gradient in gradients), term
    assert all(found.grad is None and not found.requires_grad for found in maps)
