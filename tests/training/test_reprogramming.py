"""RD as the engine computes it, against an RD written here in one piece."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from core.objectives.methods import METHODS, find_method, stages_in_use, teacher_taps
from core.students.base import build_student
from core.students.spec import STUDENTS
from core.training.batches import Batch
from core.training.loop import Trainer
from core.training.model import DistillationModel
from core.training.reprogram import ProjectorReprogram
from core.types import SilentReporter
from tests.tiny import ListReporter
from tests.training.conftest import Bench


def trainer_for(bench: Bench, folder: Path, method: str) -> Trainer:
    return bench.session(folder, bench.config(method)).trainer(SilentReporter())[0]


def in_float64(trainer: Trainer) -> Trainer:
    """The same trainer in double precision, where the order of a sum does not show."""
    trainer.model.double()
    trainer.job = replace(trainer.job, class_weights=trainer.job.class_weights.double())
    return trainer


def batch_in_float64(trainer: Trainer, step: int) -> Batch:
    """Batch `step` in double precision."""
    batch = trainer.job.batches.batch(step)
    maps = [maps.double() for maps in batch.teacher_maps]
    return replace(batch, images=batch.images.double(), teacher_maps=maps)


def plain_rd(model: DistillationModel, trainer: Trainer, step: int) -> torch.Tensor:
    """The loss of `method.md` a.4 for the last stage, from the student's own modules."""
    batch = batch_in_float64(trainer, step)
    student, phi, y = model.student, model.phi[0], batch.targets
    weights = trainer.job.class_weights
    x = (batch.images.expand(-1, 3, -1, -1) - student.mean) / student.std
    f_s = x
    for stage in student.stages:
        f_s = stage(f_s)
    r = phi(batch.teacher_maps[0])
    z_s = student.head(f_s)
    z_t = student.head(r)
    w = 1 - step / trainer.job.steps
    p_t = z_t.softmax(1)
    kl = (p_t * (z_t.log_softmax(1) - z_s.log_softmax(1))).sum(1).mean()
    a, b = r.mean((2, 3)), f_s.mean((2, 3))
    a, b = a - a.mean(0), b - b.mean(0)
    cka = (b.T @ a).square().sum() / ((a.T @ a).norm() * (b.T @ b).norm())
    supervised = F.cross_entropy(z_s, y, weights)
    return supervised + w * F.cross_entropy(z_t, y, weights) + w * kl + (1 - cka)


@pytest.mark.parametrize("step", [0, 3])
def test_losses_and_gradients_equal_an_independent_rd(
    bench: Bench, tmp_path: Path, step: int
) -> None:
    trainer = in_float64(trainer_for(bench, tmp_path, "rd"))
    twin = copy.deepcopy(trainer.model)
    batch = batch_in_float64(trainer, step)
    total, _ = trainer.loss(batch, step)
    total.backward()
    expected = plain_rd(twin, trainer, step)
    expected.backward()
    assert total.item() == pytest.approx(expected.item(), abs=1e-6)
    for (name, own), other in zip(trainer.model.named_parameters(), twin.parameters(), strict=True):
        assert own.grad is not None, name
        assert other.grad is not None, name
        torch.testing.assert_close(own.grad, other.grad, atol=1e-6, rtol=0, msg=name)


def test_what_weighs_nothing_is_not_computed(bench: Bench, tmp_path: Path) -> None:
    """DRD's hints after they have faded: neither the errors nor a gradient of the regressors."""
    trainer = trainer_for(bench, tmp_path, "drd")
    regressors = list(trainer.model.regressors.parameters())
    for step, guided in ((0, True), (trainer.job.steps - 1, False)):
        trainer.optimiser.zero_grad()
        total, shown = trainer.loss(trainer.job.batches.batch(step), step)
        total.backward()
        assert ("loss/guidance" in shown) is guided
        assert all((weight.grad is not None) is guided for weight in regressors)
        assert all(weight.grad is not None for weight in trainer.model.student.parameters())


@pytest.mark.parametrize("method", ["rd", "drd"])
@pytest.mark.parametrize("name", STUDENTS.names())
def test_hybrid_loss_reaches_phi_and_never_the_running_statistics(name: str, method: str) -> None:
    torch.manual_seed(0)
    side = 64
    student = build_student(name, 2, side)
    stages = stages_in_use(find_method(method), len(student.stages))
    shapes = [(24, 4, 4)] * len(stages)
    model = DistillationModel(student, find_method(method), shapes, side).train()
    images, maps = torch.rand(4, 1, side, side), [torch.randn(4, 24, 4, 4) for _ in stages]
    alone = copy.deepcopy(student).train()
    torch.manual_seed(1)
    alone(images)
    torch.manual_seed(1)
    passes = model.unpack(model(images, maps))
    for own, other in zip(student.buffers(), alone.buffers(), strict=True):
        torch.testing.assert_close(own, other)
    for phi, logits in zip(model.phi, passes.hybrid, strict=True):
        phi.zero_grad()
        F.cross_entropy(logits, torch.tensor([0, 1, 0, 1])).backward(retain_graph=True)
        reached = [p.grad.abs().sum() for p in phi.parameters() if p.grad is not None]
        assert reached
        assert sum(reached) > 0
    assert all(found.grad is None and not found.requires_grad for found in maps)


@pytest.mark.parametrize("method", ["rd", "drd"])
def test_a_whole_step_moves_the_running_statistics_as_a_student_alone_would(
    bench: Bench, tmp_path: Path, method: str
) -> None:
    trainer = trainer_for(bench, tmp_path, method)
    alone = copy.deepcopy(trainer.model.student).train()
    alone(trainer.job.batches.batch(0).images)
    trainer.wrapped.train()
    trainer.step(0)
    for own, other in zip(trainer.model.student.buffers(), alone.buffers(), strict=True):
        torch.testing.assert_close(own, other)


def test_every_method_trains_one_epoch_and_none_touches_the_teacher(
    bench: Bench, tmp_path: Path
) -> None:
    before = {key: value.clone() for key, value in bench.teacher.state_dict().items()}
    for name in [name for name, method in METHODS.items() if method.fewest_classes <= 2]:
        reporter = ListReporter()
        session = bench.session(tmp_path / name, bench.config(name, epochs=1), reporter)
        assert not session.train().training
        recorded = {curve for curve, _, _ in reporter.metrics}
        assert recorded == {*METHODS[name].curves, "loss", "learning_rate"}
    after = bench.teacher.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(p.grad is None and not p.requires_grad for p in bench.teacher.parameters())


def test_teacher_taps_follow_relative_depth() -> None:
    assert teacher_taps([3], 4, 4) == [3]
    assert teacher_taps([0, 1, 2, 3], 4, 4) == [0, 1, 2, 3]
    assert teacher_taps([0, 1, 2, 3], 4, 12) == [2, 5, 8, 11]
    assert teacher_taps([0, 1, 2, 3], 4, 2) == [0, 0, 1, 1]
    assert teacher_taps([3], 4, 1) == [0]


@pytest.mark.parametrize(
    ("teacher", "grid"), [((4, 4), (16, 16)), ((8, 8), (3, 3)), ((4, 8), (8, 4))]
)
def test_the_projector_gives_the_students_grid_and_never_mixes_more_cells_than_there_are(
    teacher: tuple[int, int], grid: tuple[int, int]
) -> None:
    phi = ProjectorReprogram(24, 8, grid, positive=True)
    mixed: list[torch.Size] = []
    phi.mix.register_forward_hook(lambda _, __, found: mixed.append(found.shape))
    mapped = phi(torch.randn(4, 24, *teacher))
    assert mapped.shape == (4, 8, *grid)
    assert mapped.min() >= 0
    assert mixed == [torch.Size([4, 8, min(teacher[0], grid[0]), min(teacher[1], grid[1])])]
