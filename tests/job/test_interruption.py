"""kill -9, truncated checkpoints, changed inputs, two runs at once."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.runs.events import read_events
from core.runs.layout import RunFolder
from core.runs.status import RunStatus, read_worker, status
from core.training.checkpoint import CheckpointFolder
from tests.job.conftest import Desk, make_desk

KILLS = int(os.environ.get("BEDSIDE_KILLS", "3"))  # 20 were done once; see the CHANGELOG
EPOCHS = 14  # of three steps: after seven a checkpoint is saved whatever the figures are


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return make_desk(tmp_path_factory.mktemp("kill"))


def weights(run: RunFolder) -> dict[str, torch.Tensor]:
    loaded = CheckpointFolder(run.checkpoints).newest()
    assert loaded is not None
    assert loaded.state["finished"]
    model: dict[str, torch.Tensor] = loaded.state["model"]
    return model


def wait_until(run: RunFolder, happened: object) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if happened(read_events(run.events)):  # type: ignore[operator]
            return
        time.sleep(0.02)
    raise AssertionError(f"it did not happen; the run is {status(run)}")


def start(desk: Desk, epochs: int = EPOCHS) -> RunFolder:
    return desk.run(desk.json("run", desk.config(epochs=epochs), "--detach")["run"])


def kill(run: RunFolder) -> None:
    card = read_worker(run)
    assert card is not None
    os.kill(card.process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def whole(desk: Desk) -> dict[str, torch.Tensor]:
    return weights(desk.run(desk.json("run", desk.config(epochs=EPOCHS))["run"]))


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is Unix")
@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_anywhere_it_resumes_to_the_same_weights(
    desk: Desk, whole: dict[str, torch.Tensor], seed: int
) -> None:
    """Case 51."""
    run = start(desk)
    chance = random.Random(seed)
    if seed % 4 == 3:  # while saving: the temporary file is there
        deadline = time.monotonic() + 60
        while not list(run.checkpoints.glob(".*.tmp")) and time.monotonic() < deadline:
            pass
    else:
        wait_until(run, lambda events: any(event["type"] == "phase" for event in events))
        time.sleep(chance.uniform(0, 4))
    if status(run) is not RunStatus.COMPLETED:
        kill(run)
        deadline = time.monotonic() + 5  # a killed process takes a moment to die
        while status(run).is_live and time.monotonic() < deadline:
            time.sleep(0.01)
        if status(run) is not RunStatus.COMPLETED:
            assert status(run) is RunStatus.INTERRUPTED
            desk.call("resume", run.id)
    assert status(run) is RunStatus.COMPLETED
    found = weights(run)
    assert all(torch.equal(found[key], whole[key]) for key in whole)


def test_truncated_newest_checkpoint_is_said_and_survived(
    desk: Desk, whole: dict[str, torch.Tensor]
) -> None:
    """Case 52."""
    run = start(desk)
    wait_until(run, lambda events: sum(e["type"] == "checkpoint" for e in events) >= 2)
    kill(run)
    newest = max(run.checkpoints.glob("step-*.pt"), key=lambda file: file.name)
    index = CheckpointFolder(run.checkpoints).newest()
    assert index is not None
    newest.write_bytes(newest.read_bytes()[:-500])
    said = desk.call("resume", run.id)
    assert "is damaged" in said
    found = weights(run)
    assert all(torch.equal(found[key], whole[key]) for key in whole)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """For root by a mount, as permissions do not bind it."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)
        return
    for options in (["--bind"], ["-o", "remount,bind,ro"]):
        if subprocess.run(["mount", *options, folder, folder], check=False).returncode:
            subprocess.run(["umount", folder], check=False)
            pytest.skip("root cannot make a folder read-only here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.name == "nt", reason="a read-only folder is a file's property there")
def test_read_only_it_is_said_before_anything_is_computed(
    desk: Desk, whole: dict[str, torch.Tensor]
) -> None:
    """Case 54."""
    run = start(desk)
    wait_until(run, lambda events: any(e["type"] == "checkpoint" for e in events))
    desk.call("stop", run.id)
    wait_until(run, lambda events: events[-1]["type"] == "stopped")
    before = {file: file.stat().st_mtime_ns for file in run.path.rglob("*")}
    with read_only(run.path):
        said = desk.call("resume", run.id, code=1)
        assert re.search(r"\[(E0\d|R08)\] ", said), said
        assert "Traceback" not in said
    assert {file: file.stat().st_mtime_ns for file in run.path.rglob("*")} == before
    with read_only(desk.workspace / "runs"):
        said = desk.call("run", desk.config(epochs=EPOCHS), code=1)
        assert "[E01] A run could not be created" in said
        assert run.id in desk.call("runs")  # reading goes on
    desk.call("resume", run.id)
    found = weights(run)
    assert all(torch.equal(found[key], whole[key]) for key in whole)


def test_stop_is_quick_and_resume_goes_on(desk: Desk, whole: dict[str, torch.Tensor]) -> None:
    """Case 63."""
    run = start(desk)
    wait_until(run, lambda events: any(e["type"] == "checkpoint" for e in events))
    desk.call("stop", run.id)
    wait_until(run, lambda events: events[-1]["type"] in {"stopped", "completed"})
    assert status(run) in {RunStatus.STOPPED, RunStatus.COMPLETED}
    if status(run) is RunStatus.STOPPED:
        desk.call("resume", run.id)
    found = weights(run)
    assert all(torch.equal(found[key], whole[key]) for key in whole)


def test_finish_now_evaluates_and_exports(desk: Desk) -> None:
    run = start(desk, epochs=400)
    wait_until(run, lambda events: any(e["type"] == "checkpoint" for e in events))
    desk.call("finish", run.id)
    wait_until(run, lambda events: events[-1]["type"] == "completed")
    assert (run.export / "model.onnx").is_file()
    assert (run.report / "report.html").is_file()


def test_the_second_run_waits_and_says_for_what(desk: Desk) -> None:
    first = start(desk, epochs=400)
    wait_until(first, lambda events: any(e["type"] == "checkpoint" for e in events))
    second = start(desk, epochs=1)
    wait_until(second, lambda events: any(e["type"] == "queued" for e in events))
    assert status(second) is RunStatus.QUEUED
    queued = next(e for e in read_events(second.events) if e["type"] == "queued")
    assert queued["waits_for"] == first.id
    desk.call("stop", first.id)
    wait_until(second, lambda events: events[-1]["type"] == "completed")


def test_resume_is_refused_when_the_images_changed(desk: Desk) -> None:
    """Case 65."""
    run = start(desk, epochs=400)
    wait_until(run, lambda events: any(e["type"] == "checkpoint" for e in events))
    kill(run)
    victim = next(desk.images.rglob("*.png"))
    content = victim.read_bytes()
    other: Path = sorted(desk.images.rglob("*.png"))[-1]
    victim.write_bytes(other.read_bytes())
    said = desk.call("resume", run.id, code=1)
    victim.write_bytes(content)
    assert "[R30]" in said


def test_resume_is_refused_when_the_request_was_edited(desk: Desk) -> None:
    """Case 65."""
    run = start(desk, epochs=400)
    wait_until(run, lambda events: any(e["type"] == "checkpoint" for e in events))
    kill(run)
    run.config.write_text(run.config.read_text().replace('"epochs": 400', '"epochs": 500'))
    said = desk.call("resume", run.id, code=1)
    assert "[R30]" in said
    assert "train.epochs: 400 became 500" in said


def test_resume_is_refused_when_the_teacher_changed(desk: Desk) -> None:
    """Case 65."""
    run = start(desk, epochs=400)
    wait_until(run, lambda events: any(e["type"] == "checkpoint" for e in events))
    kill(run)
    content = desk.teacher.read_bytes()
    other = {name: tensor * 1.01 for name, tensor in load_file(desk.teacher).items()}
    save_file(other, desk.teacher)
    said = desk.call("resume", run.id, code=1)
    desk.teacher.write_bytes(content)
    assert "[R30]" in said
    assert "the teacher" in said
