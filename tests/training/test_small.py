"""Few images, and a disk that is full for a while."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import SystemError_
from core.training.checkpoint import CheckpointFolder
from core.types import SplitName
from tests.tiny import ListReporter
from tests.training.conftest import Bench


def with_few(bench: Bench, count: int, folder: Path) -> Bench:
    """The same with `count` training images of both classes."""
    images = bench.dataset.images
    shown = images[images["split"] == SplitName.TRAIN.value]
    order = shown.groupby(shown["labels"].str[0]).cumcount()
    kept = shown.index[order.argsort(kind="stable")[:count]]
    rest = images.index[images["split"] != SplitName.TRAIN.value]
    few = bench.dataset.with_images(images.loc[sorted([*kept, *rest])])
    return replace(bench, dataset=few, features=folder / "features")


@pytest.mark.parametrize(("count", "batch"), [(5, 5), (9, 8)])
def test_few_images_train_at_least_one_step(
    bench: Bench, tmp_path: Path, count: int, batch: int
) -> None:
    """Cases 47 and 48: never no step at all, never a batch of one image."""
    few = with_few(bench, count, tmp_path)
    session = few.session(tmp_path, few.config("rd", batch=8, epochs=2), reporter := ListReporter())
    trainer, _ = session.trainer(reporter)
    trainer.run()
    assert len(trainer.job.batches) == count
    assert trainer.job.batches.batch_size == batch
    assert trainer.job.steps == 2
    assert [step for name, _, step in reporter.metrics if name == "loss"] == [0, 1]
    assert [code for _, code, _ in reporter.alerts] == (["T23"] if batch < 8 else [])


def full_disk(monkeypatch: pytest.MonkeyPatch, when: set[int]) -> None:
    """A disk that has no room for the checkpoints of some steps; the first of them is due."""
    real = torch.save

    def save(state: dict[str, Any], file: Path) -> None:
        if state["step"] in when:
            file.write_bytes(b"half a checkpoint")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(state, file)

    monkeypatch.setattr("core.training.checkpoint.torch.save", save)
    monkeypatch.setattr("core.training.loop.STEPS_A_SAVE", min(when))


def test_a_full_disk_does_not_end_training(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 53."""
    session = bench.session(tmp_path, bench.config("student_only", epochs=3))
    trainer, _ = session.trainer(reporter := ListReporter())
    each = trainer.job.batches.steps_per_epoch
    full_disk(monkeypatch, {2 * each})
    best = iter([True, False, False])
    monkeypatch.setattr(trainer.stopping, "improved", lambda _: next(best))
    seen = []

    def checkpoint(step: int, which: str) -> None:
        loaded = CheckpointFolder(tmp_path / "checkpoints").newest()
        assert loaded is not None
        seen.append((loaded.step, which))

    monkeypatch.setattr(reporter, "checkpoint", checkpoint)
    trainer.run()
    assert [code for _, code, _ in reporter.alerts] == ["T26"]
    assert f"step {each}" in reporter.alerts[0][2]
    assert [step for step, _ in seen] == [each, 3 * each, 3 * each]
    assert not list((tmp_path / "checkpoints").glob(".*.tmp"))
    assert trainer.job.checkpoints.best() is not None


def test_a_disk_that_stays_full_ends_it_with_a_sentence(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 53: the last checkpoint is still there, and a resumed run goes on from it."""
    session = bench.session(tmp_path, bench.config("student_only", epochs=2))
    trainer, _ = session.trainer(ListReporter())
    each = trainer.job.batches.steps_per_epoch
    full_disk(monkeypatch, {2 * each})
    with pytest.raises(SystemError_, match="E01"):
        trainer.run()
    loaded = CheckpointFolder(tmp_path / "checkpoints").newest()
    assert loaded is not None
    assert loaded.step == each
