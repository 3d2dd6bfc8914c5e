"""What an extended training is: the old one's end, and from there the longer schedule.

Equal, bit for bit on the processor: the extension, and steps taken one by one from the old run's
last checkpoint under the longer schedule; also when the extension itself is interrupted. Not equal,
and not meant to be: a training that was planned for the longer schedule from its first step.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.training.checkpoint import CheckpointFolder, Loaded, take_over
from core.types import Stopped
from tests.tiny import ListReporter
from tests.training.conftest import Bench
from tests.training.test_resume import assert_equal, final_weights

SHORT, LONG = 2, 4


@pytest.fixture(scope="module")
def ended(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of two passes, at its end."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("short")
    bench.session(folder, bench.config(epochs=SHORT)).train()
    return folder


@pytest.fixture
def begun(ended: Path, tmp_path: Path) -> Path:
    """The extension of it, before its first step."""
    begin(ended, tmp_path)
    return tmp_path


def begin(ended: Path, folder: Path) -> Loaded:
    source, target = (CheckpointFolder(place / "checkpoints") for place in (ended, folder))
    found = take_over(source, target)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def extended(bench: Bench, ended: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("long")
    begin(ended, folder)
    bench.session(folder, bench.config(epochs=LONG)).train()
    return folder


def test_it_begins_at_the_old_step_with_the_old_weights(
    bench: Bench, ended: Path, begun: Path
) -> None:
    trainer, _ = bench.session(begun, bench.config(epochs=LONG)).trainer(ListReporter())
    old = CheckpointFolder(ended / "checkpoints").newest()
    assert old is not None
    assert trainer._resume() == old.step == SHORT * trainer.job.batches.steps_per_epoch
    assert not trainer.finished
    assert trainer.stopping.waited == 0
    assert trainer.stopping.best == old.state["stopping"]["best"]
    assert_equal(dict(trainer.model.state_dict()), old.state["model"])
    moments = trainer.optimiser.state_dict()["state"]
    assert all(
        torch.equal(moments[key]["exp_avg"], old.state["optimiser"]["state"][key]["exp_avg"])
        for key in moments
    )


def test_it_equals_single_steps_under_the_longer_schedule(
    bench: Bench, ended: Path, begun: Path, extended: Path
) -> None:
    trainer, _ = bench.session(begun, bench.config(epochs=LONG)).trainer(ListReporter())
    old = CheckpointFolder(ended / "checkpoints").newest()
    assert old is not None
    trainer.model.load_state_dict(old.state["model"])
    trainer.optimiser.load_state_dict(old.state["optimiser"])
    trainer.wrapped.train()
    torch.manual_seed(77)  # whatever the process drew before must not matter
    for step in range(old.step, trainer.job.steps):
        assert trainer.step(step) == step + 1
    assert_equal(dict(trainer.model.state_dict()), final_weights(extended))


@pytest.mark.parametrize("steps", [1, 4])
def test_interrupted_and_resumed_it_is_the_same(
    bench: Bench, begun: Path, extended: Path, steps: int
) -> None:
    reporter = ListReporter()
    session = bench.session(begun, bench.config(epochs=LONG), reporter)
    reporter.steps, reporter._stop_after = 0, steps
    with pytest.raises(Stopped):
        session.train()
    bench.session(begun, bench.config(epochs=LONG)).train()
    assert_equal(final_weights(begun), final_weights(extended))


def test_planned_longer_from_the_start_is_another_training(
    bench: Bench, extended: Path, tmp_path: Path
) -> None:
    bench.session(tmp_path, bench.config(epochs=LONG)).train()
    left, right = final_weights(tmp_path), final_weights(extended)
    assert any(not torch.equal(left[key], right[key]) for key in left)


def test_the_best_of_both_is_kept(bench: Bench, ended: Path, extended: Path) -> None:
    bests = [CheckpointFolder(place / "checkpoints").best() for place in (ended, extended)]
    figures = [best.state["stopping"]["best"] for best in bests if best is not None]
    assert len(figures) == 2
    assert figures[1] >= figures[0]


def test_a_damaged_end_is_replaced_by_the_one_before(ended: Path, tmp_path: Path) -> None:
    copy = tmp_path / "old" / "checkpoints"
    copy.mkdir(parents=True)
    for file in (ended / "checkpoints").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    newest = max(copy.glob("step-*.pt"), key=lambda file: file.name)
    newest.write_bytes(newest.read_bytes()[:-200])
    found = take_over(CheckpointFolder(copy), CheckpointFolder(tmp_path / "new"))
    assert found is not None
    assert found.damaged == [int(newest.name[5:13])]
    taken = CheckpointFolder(tmp_path / "new").newest()
    assert taken is not None
    assert_equal(taken.state["model"], found.state["model"])


def test_nothing_whole_is_left_alone(tmp_path: Path) -> None:
    target = CheckpointFolder(tmp_path / "new")
    assert take_over(CheckpointFolder(tmp_path / "none"), target) is None
    assert not target.folder.exists()
