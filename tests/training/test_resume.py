"""A training that was interrupted equals one that was not, bit for bit."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from core.errors import TrainingError
from core.training.checkpoint import CheckpointFolder
from core.types import Stopped
from tests.tiny import ListReporter
from tests.training.conftest import Bench, poison


def final_weights(folder: Path) -> dict[str, torch.Tensor]:
    loaded = CheckpointFolder(folder / "checkpoints").newest()
    assert loaded is not None
    assert loaded.state["finished"]
    weights: dict[str, torch.Tensor] = loaded.state["model"]
    return weights


def assert_equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)


@pytest.fixture(scope="module")
def uninterrupted(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, torch.Tensor]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("whole")
    bench.session(folder, bench.config()).train()
    return final_weights(folder)


@pytest.mark.parametrize("steps", [1, 3, 4, 7])
def test_stopped_and_resumed_mid_epoch_or_between(
    bench: Bench, tmp_path: Path, uninterrupted: dict[str, torch.Tensor], steps: int
) -> None:
    torch.manual_seed(steps)  # whatever the process drew before must not matter
    reporter = ListReporter()
    session = bench.session(tmp_path, bench.config(), reporter)
    reporter.steps, reporter._stop_after = 0, steps
    with pytest.raises(Stopped):
        session.train()
    torch.manual_seed(12345)
    bench.session(tmp_path, bench.config()).train()
    assert_equal(final_weights(tmp_path), uninterrupted)


def test_of_short_epochs_the_best_and_every_so_many_th_are_saved(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = bench.session(tmp_path, bench.config("student_only", epochs=8))
    trainer, _ = session.trainer(reporter := ListReporter())
    each = trainer.job.batches.steps_per_epoch
    monkeypatch.setattr("core.training.loop.STEPS_A_SAVE", 3 * each - 1)
    saved: dict[int, str] = {}
    monkeypatch.setattr(reporter, "checkpoint", saved.__setitem__)
    trainer.run()
    best = {step for step, which in saved.items() if which == "best"}
    assert each in best
    assert saved.keys() - best == {3 * each, 6 * each, 8 * each} - best
    assert len(saved) < 8


def test_where_a_failing_loss_returns_to_does_not_depend_on_a_stop(
    bench: Bench, tmp_path: Path
) -> None:
    ended = []
    for name, stops in (("whole", [None]), ("stopped", [10, None])):
        for stop in stops:
            session = bench.session(tmp_path / name, bench.config("student_only", epochs=8))
            trainer, _ = session.trainer(reporter := ListReporter(stop_after=stop))
            assert trainer.job.batches.steps_per_epoch == 3
            guard = trainer.guard
            poison(trainer, lambda step, guard=guard: step in range(11, 16) and not guard.rollbacks)
            with pytest.raises(Stopped) if stop else nullcontext():
                trainer.run()
        ended.append((reporter.alerts, final_weights(tmp_path / name)))
    (alerts, whole), (again, stopped) = ended
    assert [code for _, code, _ in alerts] == ["T41"]
    assert again == alerts
    assert_equal(stopped, whole)


@pytest.mark.parametrize("method", ["kd", "hint"])
def test_a_baseline_that_was_stopped_learns_from_the_same_teacher(
    bench: Bench, tmp_path: Path, method: str
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    bench.session(whole, bench.config(method, epochs=2)).train()
    reporter = ListReporter()
    session = bench.session(parts, bench.config(method, epochs=2), reporter)
    reporter.steps, reporter._stop_after = 0, 3
    with pytest.raises(Stopped):
        session.train()
    torch.manual_seed(12345)
    bench.session(parts, bench.config(method, epochs=2)).train()
    assert_equal(final_weights(parts), final_weights(whole))
    assert (whole / "probe.safetensors").exists() == (method == "kd")


def test_damaged_newest_checkpoint_is_noticed_and_the_one_before_used(
    bench: Bench, tmp_path: Path, uninterrupted: dict[str, torch.Tensor]
) -> None:
    """Case 52."""
    reporter = ListReporter()
    session = bench.session(tmp_path, bench.config(), reporter)
    reporter.steps, reporter._stop_after = 0, 7
    with pytest.raises(Stopped):
        session.train()
    newest = max((tmp_path / "checkpoints").glob("step-*.pt"))
    newest.write_bytes(newest.read_bytes()[:-200])
    again = ListReporter()
    bench.session(tmp_path, bench.config(), again).train()
    assert [code for _, code, _ in again.alerts] == ["T22"]
    assert "step 7" in again.alerts[0][2]
    assert_equal(final_weights(tmp_path), uninterrupted)


def test_damaged_best_checkpoint_is_made_anew(bench: Bench, tmp_path: Path) -> None:
    bench.session(tmp_path, bench.config("student_only")).train()
    folder = CheckpointFolder(tmp_path / "checkpoints")
    best = folder.best()
    newest = folder.newest()
    assert best is not None
    assert newest is not None
    for file in (tmp_path / "checkpoints").glob(f"step-{best.step:08d}-*.pt"):
        if best.step != newest.step:
            file.write_bytes(b"")
    bench.session(tmp_path, bench.config("student_only")).train()


def test_one_flipped_byte_is_noticed(bench: Bench, tmp_path: Path) -> None:
    """Case 52."""
    folder = CheckpointFolder(tmp_path)
    for step in (1, 2):
        folder.save({"model": {"w": torch.full((50,), float(step))}}, step)
    newest = max(tmp_path.glob("step-*.pt"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(bytes(content))
    loaded = folder.newest()
    assert loaded is not None
    assert (loaded.step, loaded.damaged) == (1, [2])


def test_only_named_checkpoints_are_kept(tmp_path: Path) -> None:
    """Case 61: by step, whatever the clock says."""
    folder = CheckpointFolder(tmp_path)
    for step in range(1, 6):
        folder.save({"step": step}, step, best=step == 2)
    kept = sorted(int(file.name[5:13]) for file in tmp_path.glob("step-*.pt"))
    assert kept == [2, 4, 5]
    best = folder.best()
    assert best is not None
    assert best.step == 2


def test_saving_a_step_again_leaves_the_best_as_it_was(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save({"finished": False}, 3, best=True)
    folder.save({"finished": True}, 3)
    best, newest = folder.best(), folder.newest()
    assert best is not None
    assert newest is not None
    assert (best.state["finished"], newest.state["finished"]) == (False, True)


def test_nothing_saved_yet(tmp_path: Path) -> None:
    assert CheckpointFolder(tmp_path).newest() is None
    assert CheckpointFolder(tmp_path).best() is None


def test_a_loss_that_is_no_number_never_reaches_the_weights(bench: Bench, tmp_path: Path) -> None:
    """Case 56."""
    session = bench.session(tmp_path, bench.config("student_only", epochs=2))
    trainer, _ = session.trainer(reporter := ListReporter())
    poison(trainer, lambda step: step == 1)
    trainer.run()
    assert trainer.guard.skipped == 1
    assert all(torch.isfinite(p).all() for p in trainer.model.parameters())
    assert any(name == "loss" and value != value for name, value, _ in reporter.metrics)


def test_a_loss_that_stays_no_number_goes_back_twice_then_ends(
    bench: Bench, tmp_path: Path
) -> None:
    """Case 56."""
    session = bench.session(tmp_path, bench.config("student_only", epochs=12))
    trainer, _ = session.trainer(reporter := ListReporter())
    poison(trainer, lambda step: step >= trainer.job.batches.steps_per_epoch)
    with pytest.raises(TrainingError) as caught:
        trainer.run()
    assert caught.value.code == "T40"
    assert [code for _, code, _ in reporter.alerts] == ["T41", "T41"]
    newest = trainer.job.checkpoints.newest()
    assert newest is not None
    assert all(
        torch.isfinite(t).all() for t in newest.state["model"].values() if t.is_floating_point()
    )
