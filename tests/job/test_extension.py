"""Extend and compare as their user does: by commands, with the real worker."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from core.files import read_json
from core.runs.events import curve, read_events
from core.runs.layout import RunFolder
from core.runs.starting import start_companion
from core.runs.status import RunStatus, status
from core.runs.store import RunStore
from core.training.checkpoint import CheckpointFolder
from tests.job.conftest import Desk, make_desk

SHORT, MORE = 2, 2


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return make_desk(tmp_path_factory.mktemp("extend"))


@pytest.fixture(scope="module")
def first(desk: Desk) -> RunFolder:
    return desk.run(desk.json("run", desk.config(epochs=SHORT))["run"])


@pytest.fixture(scope="module")
def longer(desk: Desk, first: RunFolder) -> RunFolder:
    return desk.run(desk.json("extend", first.id, "--epochs", MORE)["run"])


def words_of(page: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")))


def test_an_extended_run_goes_on_where_the_first_ended(first: RunFolder, longer: RunFolder) -> None:
    assert status(longer) is RunStatus.COMPLETED
    assert read_json(longer.config)["train"]["epochs"] == SHORT + MORE
    ends = [CheckpointFolder(run.checkpoints).newest() for run in (first, longer)]
    steps = [end.step for end in ends if end is not None]
    assert steps[1] == steps[0] * (SHORT + MORE) // SHORT
    assert not longer.inherited.exists()
    points = curve(read_events(longer.events), "loss")
    assert [point.step for point in points] == list(range(steps[1]))
    old = curve(read_events(first.events), "loss")
    assert points[: steps[0]] == old
    trained = [e for e in read_events(longer.events) if e["type"] == "metric" and e["attempt"] == 1]
    assert min(event["step"] for event in trained if event["name"] == "loss") == steps[0]
    assert any(e["type"] == "alert" and e["code"] == "T24" for e in read_events(longer.events))


def test_the_report_says_where_it_began(first: RunFolder, longer: RunFolder) -> None:
    said = words_of(longer.report / "report.html")
    assert f"goes on from run {first.id}" in said
    assert f"after {SHORT} passes" in said
    assert f"extend {first.id} --epochs {MORE}" in said
    assert "goes on from run" not in words_of(first.report / "report.html")


def test_a_run_that_is_not_complete_is_not_extended(desk: Desk) -> None:
    started = desk.run(desk.json("run", desk.config(epochs=300), "--detach")["run"])
    said = desk.call("extend", started.id, "--epochs", 1, code=1)
    assert "[R61]" in said
    desk.call("stop", started.id)
    wait_for(started, RunStatus.STOPPED)
    desk.call("delete", started.id, "--yes")


def test_the_student_alone_puts_itself_beside_the_first_run(desk: Desk, first: RunFolder) -> None:
    """Nobody presses anything between the start of the student alone and the changed report."""
    before = first.report / "report.html"
    assert not (first.report / "companion.json").exists()
    assert "Student trained alone" not in words_of(before)
    alone = start_companion(RunStore(desk.workspace), first)
    wait_for(alone.run, RunStatus.COMPLETED)
    companion = read_json(first.report / "companion.json")
    assert companion["run"] == alone.run.id
    assert {"value", "low", "high"} <= companion["difference"]["validation"].keys()
    assert companion["test"] is None
    assert "Student trained alone" in words_of(before)
    assert json.loads(alone.run.config.read_text())["method"]["name"] == "student_only"
    found = desk.json("compare", first.id)  # which is done already
    assert found["beside"] == alone.run.id
    assert found["verdict"].startswith("Reprogramming Distillation 0.")


def wait_for(run: RunFolder, wanted: RunStatus) -> None:
    deadline = time.monotonic() + 120
    while status(run) is not wanted:
        assert time.monotonic() < deadline, f"the run is {status(run)}"
        time.sleep(0.05)
