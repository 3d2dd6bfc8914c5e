"""One step: in parts where memory is small, skipped where it is no number, prepared ahead."""

from __future__ import annotations

import copy
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.config import RunConfig, StudentSettings
from core.errors import TrainingError
from core.memory import is_out_of_memory
from core.training.ahead import Ahead
from core.training.batches import Batch
from core.training.figures import LateFigures
from core.training.loop import Trainer
from core.training.step import Stepper
from core.types import SilentReporter
from tests.tiny import SIDE, ListReporter
from tests.training.conftest import Bench, poison
from tests.training.test_resume import assert_equal

CPU = torch.device("cpu")


def with_student(config: RunConfig, name: str) -> RunConfig:
    return config.model_copy(update={"student": StudentSettings(name=name, image_px=SIDE)})


def small_memory(trainer: Trainer, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """A machine whose memory holds the maps of `most` images."""
    real = trainer.model.student.encode

    def encode(images: Tensor) -> list[Tensor]:
        if len(images) > most:
            raise torch.OutOfMemoryError("CUDA out of memory (as a card would say)")
        return real(images)

    monkeypatch.setattr(trainer.model.student, "encode", encode)


def test_too_little_memory_costs_no_step(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 55: in training and in validation."""
    session = bench.session(tmp_path, bench.config("rd", epochs=2))
    trainer, _ = session.trainer(reporter := ListReporter())
    small_memory(trainer, monkeypatch, 4)
    trainer.run()
    assert trainer.job.batches.batch_size == 8
    assert trainer.stepper.parts == 2
    assert [code for _, code, _ in reporter.alerts] == ["T25", "T23"]
    assert [step for name, _, step in reporter.metrics if name == "loss"] == list(
        range(trainer.job.steps)
    )
    assert not any(name == "loss/cka" for name, _, _ in reporter.metrics)
    assert any(name == "validation/auroc" for name, _, _ in reporter.metrics)
    newest = trainer.job.checkpoints.newest()
    assert newest is not None
    assert newest.state["parts"] == 2  # a resumed run computes the same


def test_a_batch_in_parts_has_the_gradient_of_the_whole(bench: Bench, tmp_path: Path) -> None:
    """Case 55: the same effective batch; a ViT, whose norms do not look at other images."""
    config = with_student(bench.config("student_only", balance=False), "vit_tiny")
    trainer, _ = bench.session(tmp_path, config).trainer(SilentReporter())
    trainer.wrapped.train()
    gradients = []
    for parts in (1, 3):
        trainer.stepper.parts = parts
        batch = trainer.job.batches.batch(0)
        trainer.stepper._gradients(batch, lambda part: trainer.loss(part, 0), 0)
        gradients.append([p.grad for p in trainer.model.parameters() if p.grad is not None])
    for whole, summed in zip(*gradients, strict=True):
        torch.testing.assert_close(summed, whole, atol=1e-6, rtol=1e-4)


def test_memory_for_not_even_two_images_is_said(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 55: the end of it."""
    trainer, _ = bench.session(tmp_path, bench.config("student_only")).trainer(SilentReporter())
    small_memory(trainer, monkeypatch, 1)
    with pytest.raises(TrainingError, match="T44"):
        trainer.run()


def test_how_memory_says_that_it_is_too_small() -> None:
    assert is_out_of_memory(MemoryError())
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_step_that_is_no_number_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    """Case 56: neither weights nor moments nor running statistics, and nobody asks the device."""
    trainer, _ = bench.session(tmp_path, bench.config("student_only")).trainer(SilentReporter())
    trainer.wrapped.train()
    trainer.step(0)
    before = copy.deepcopy([dict(trainer.model.state_dict()), trainer.optimiser.state_dict()])
    batch = trainer.job.batches.batch(1)
    batch.images[0, 0, 0, 0] = float("nan")
    shown = trainer.stepper.take(batch, lambda part: _plain(trainer.stepper, part), 1, 1e-3)
    assert not bool(shown["finite"])
    assert_equal(dict(trainer.model.state_dict()), before[0])
    state = trainer.optimiser.state_dict()["state"]
    for key, found in before[1]["state"].items():
        assert_equal(state[key], found)


def _plain(stepper: Stepper, part: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    logits = stepper.wrapped(part.images, part.teacher_maps)[0]
    total = torch.nn.functional.cross_entropy(logits, part.targets)
    return total, {"loss": total}


def test_batches_made_ahead_are_the_same(bench: Bench, tmp_path: Path) -> None:
    trainer, _ = bench.session(tmp_path, bench.config("rd")).trainer(SilentReporter())
    makers: list[str] = []

    def make(step: int) -> Batch:
        makers.append(threading.current_thread().name)
        return trainer.job.batches.batch(step)

    ahead = Ahead(make, CPU, beside=True)
    wanted = [0, 1, 2, 1, 2]  # after the third, training went back
    for step, following in zip(wanted, [1, 2, 3, 2, None], strict=True):
        taken, alone = ahead.take(step, following), trainer.job.batches.batch(step)
        pairs = zip(taken.tensors, alone.tensors, strict=True)
        assert all(torch.equal(left, right) for left, right in pairs)
    assert sum(name.startswith("batches") for name in makers) >= 3


def test_what_goes_wrong_ahead_is_said_in_its_step() -> None:
    """Case 62: no loader process can be killed, because batches are made on a thread."""

    def make(step: int) -> Batch:
        if step:
            raise TrainingError("T99", "A picture is gone")
        return Batch(torch.zeros(2, 1, 4, 4), torch.zeros(2), [])

    ahead = Ahead(make, CPU, beside=True)
    ahead.take(0, 1)
    with pytest.raises(TrainingError, match="T99"):
        ahead.take(1, None)
    assert len(ahead.take(0).images) == 2


def test_figures_come_late_but_all_and_in_order() -> None:
    figures = LateFigures(CPU)
    figures.lag = 2  # as on a graphics card
    seen = []
    for step in range(5):
        figures.put(step, 0.1, {"loss": torch.tensor(float(step)), "finite": torch.tensor(True)})
        seen += figures.due()
        assert len(seen) == max(0, step - 1)
    seen += figures.rest()
    assert [found.values["loss"] for found in seen] == [0, 1, 2, 3, 4]
    assert not figures.rest()


def test_late_figures_still_roll_back(bench: Bench, tmp_path: Path) -> None:
    """Case 56: as on a graphics card, where five bad steps are noticed a few steps later."""
    trainer, _ = bench.session(tmp_path, bench.config("student_only", epochs=6)).trainer(
        reporter := ListReporter()
    )
    trainer._figures.lag = 2
    poison(trainer, lambda step: step in range(4, 9) and not reporter.alerts)
    trainer.run()
    assert [code for _, code, _ in reporter.alerts] == ["T41"]
    assert trainer.guard.rate_factor == 0.5
    assert all(torch.isfinite(p).all() for p in trainer.model.parameters())
    steps = [step for name, _, step in reporter.metrics if name == "loss"]
    assert steps[-1] == trainer.job.steps - 1
