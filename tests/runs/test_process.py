"""Workers as real processes: they outlive their launcher, obey, die, and are always told truly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.config import RunConfig
from core.errors import RunError
from core.files import read_json, write_json
from core.runs.events import curve, read_events
from core.runs.identity import this_process
from core.runs.layout import RunFolder
from core.runs.process import launch, prepare_resume, request_finish, request_stop
from core.runs.status import RunStatus, WorkerCard, read_worker, status
from core.runs.store import RunStore

ROOT = Path(__file__).resolve().parents[2]
TINY_WORKER = Path(__file__).with_name("tiny_worker.py")


def types(run: RunFolder) -> list[str]:
    kept = {"created", "queued", "started", "stop_requested", "stopped", "completed", "failed"}
    return [event["type"] for event in read_events(run.events) if event["type"] in kept]


def kill(run: RunFolder, number: int = signal.SIGKILL) -> None:
    worker = read_worker(run)
    assert worker is not None
    os.kill(worker.process.pid, number)


def test_run_completes_and_says_so(start, wait_for) -> None:
    run = start(steps=3, seconds=0)
    wait_for(lambda: status(run) is RunStatus.COMPLETED)
    assert types(run) == ["created", "started", "completed"]
    end = read_events(run.events)[-1]
    assert end["attempt"] == 1
    assert 0 <= end["seconds"] <= end["elapsed_s"] + 0.01
    environment = read_json(run.environment)
    assert environment["device"] == "cpu"
    assert environment["seed"] == 0
    assert environment["packages"]["pydantic"]


def test_worker_outlives_the_killed_launcher(store: RunStore, config: RunConfig, wait_for) -> None:
    run = store.create(config)
    launcher = (
        "import sys, time; from pathlib import Path\n"
        "from core.runs.layout import RunFolder; from core.runs.process import launch\n"
        "launch(RunFolder(Path(sys.argv[-1])), sys.argv[1:-1]); print('launched', flush=True)\n"
        "time.sleep(60)"
    )
    program = [sys.executable, str(TINY_WORKER), "count", "1000", "0.01"]
    with subprocess.Popen(
        [sys.executable, "-c", launcher, *program, str(run.path)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"launched\n"
        assert status(run) in {RunStatus.QUEUED, RunStatus.RUNNING}
        process.kill()
    worker = read_worker(run)
    assert worker is not None
    assert os.getsid(worker.process.pid) != os.getsid(0)  # no terminal can reach it
    wait_for(lambda: len(read_events(run.events)) > 10)
    before = len(read_events(run.events))
    wait_for(lambda: len(read_events(run.events)) > before)
    request_stop(run)
    wait_for(lambda: status(run) is RunStatus.STOPPED)


def test_stop_by_file(running: RunFolder, wait_for) -> None:
    request_stop(running)
    assert status(running) in {RunStatus.STOPPING, RunStatus.STOPPED}
    wait_for(lambda: status(running) is RunStatus.STOPPED)
    assert types(running) == ["created", "started", "stop_requested", "stopped"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_by_signal(running: RunFolder, wait_for, number: int) -> None:
    kill(running, number)
    wait_for(lambda: status(running) is RunStatus.STOPPED)
    asked = [event for event in read_events(running.events) if event["type"] == "stop_requested"]
    assert [event["by"] for event in asked] == ["signal"]


def test_finish_now_ends_training_but_not_the_rest(running: RunFolder, wait_for) -> None:
    request_finish(running)
    wait_for(lambda: status(running) is RunStatus.COMPLETED)
    events = read_events(running.events)
    assert [event["name"] for event in events if event["type"] == "phase"] == ["train", "evaluate"]
    assert [event["code"] for event in events if event["type"] == "alert"] == ["R20"]


def test_nothing_to_stop_is_refused(store: RunStore, config: RunConfig) -> None:
    run = store.create(config)
    for request in (request_stop, request_finish):
        with pytest.raises(RunError, match="R07"):
            request(run)
    assert not run.stop.exists()


def test_killed_worker_is_interrupted(running: RunFolder, wait_for) -> None:
    kill(running)
    wait_for(lambda: status(running) is RunStatus.INTERRUPTED)


def test_zombie_is_interrupted(store: RunStore, config: RunConfig, wait_for) -> None:
    run = store.create(config)
    program = [sys.executable, str(TINY_WORKER), "count", "1000", "0.01", str(run.path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(program, env=environment, stderr=subprocess.DEVNULL) as worker:
        wait_for(lambda: status(run) is RunStatus.RUNNING)
        worker.kill()  # and nobody waits for it yet
        wait_for(lambda: status(run) is RunStatus.INTERRUPTED)
        os.kill(worker.pid, 0)  # its number still exists: it is a zombie


def test_another_process_with_the_same_number_is_no_worker(store: RunStore, config) -> None:
    """Case 60."""
    run = store.create(config)
    me = this_process()
    assert me.is_alive()
    write_json(run.worker, WorkerCard(me, attempt=1, token="").to_json())
    assert status(run) is RunStatus.QUEUED
    strangers = [
        replace(me, create_time=me.create_time - 60),
        replace(me, boot_id="an earlier boot"),
        replace(me, pid=2**22 + 1),
    ]
    for stranger in strangers:
        write_json(run.worker, WorkerCard(stranger, attempt=1, token="").to_json())
        assert status(run) is RunStatus.INTERRUPTED


def test_second_worker_of_a_run_is_refused(running: RunFolder) -> None:
    with pytest.raises(RunError, match="R05"):
        launch(running)
    owner, before = running.worker.read_bytes(), running.events.read_bytes()
    program = [sys.executable, str(TINY_WORKER), "count", "5", "0", str(running.path)]
    second = subprocess.run(
        program, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=False
    )
    assert second.returncode == 2
    assert b"Another worker" in second.stderr
    assert running.worker.read_bytes() == owner
    assert running.events.read_bytes().startswith(before)
    assert {event["attempt"] for event in read_events(running.events)} == {0, 1}


def test_resume_is_a_new_attempt_and_every_step_is_there_once(
    running: RunFolder, start: Callable[..., RunFolder], wait_for
) -> None:
    with pytest.raises(RunError, match="R05"):
        prepare_resume(running)
    kill(running)
    wait_for(lambda: status(running) is RunStatus.INTERRUPTED)
    running.stop.touch()
    (running.checkpoints / ".last.pt.123.tmp").touch()
    with running.events.open("ab") as log:
        log.write(b'{"v":1,"seq":99,"type":"metr')
    prepare_resume(running)
    assert not running.stop.exists()
    assert not list(running.checkpoints.glob(".*"))
    saved = read_json(running.checkpoints / "step.json")
    start(running, steps=saved + 20, seconds=0)
    wait_for(lambda: status(running) is RunStatus.COMPLETED)
    events = read_events(running.events)
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert [point.step for point in curve(events, "loss")] == list(range(saved + 20))
    assert [event["attempt"] for event in events if event["type"] == "started"] == [1, 2]
    assert [facts["attempt"] for facts in read_json(running.environment)["earlier"]] == [1]
    with pytest.raises(RunError, match="R06"):
        prepare_resume(running)


def test_stopped_run_can_be_resumed_at_once(running: RunFolder, start, wait_for) -> None:
    for _ in range(3):
        request_stop(running)
        wait_for(lambda: status(running) is RunStatus.STOPPED)
        prepare_resume(running)
        start(running)
        wait_for(lambda: status(running) is RunStatus.RUNNING)


def test_known_error_is_recorded_in_its_own_words(start, wait_for) -> None:
    run = start(kind="known-error")
    wait_for(lambda: status(run) is RunStatus.FAILED)
    end = read_events(run.events)[-1]
    assert (end["code"], end["item"]) == ("I01", "images")
    assert end["text"] == "[I01] The folder is gone (images). Bring it back."


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("unknown-error", "FileNotFoundError: No such file or directory"),
        ("value-error", "ValueError: shape 32x5 does not fit for … in …"),
    ],
)
def test_unforeseen_error_is_recorded_without_names(start, wait_for, kind: str, what: str) -> None:
    run = start(kind=kind)
    wait_for(lambda: status(run) is RunStatus.FAILED)
    end = read_events(run.events)[-1]
    assert end["code"] == "R99"
    assert what in end["what"]
    console = run.console.read_text(encoding="utf-8")
    assert "tiny_worker.py:" in console
    printed = [line for line in console.splitlines() if not line.startswith("  ")]  # but no code
    assert "Muster" not in end["text"] + "".join(printed)


def test_worker_that_dies_at_once_is_reported_by_launch(start, store: RunStore) -> None:
    with pytest.raises(RunError, match=r"R08.*exit code 3"):
        start(kind="die-at-once")
    (only,) = store.list()
    assert only.status is RunStatus.CREATED
    assert "no such module" in store.open(only.id).console.read_text(encoding="utf-8")


def test_worker_ignores_thread_settings_of_its_launcher(
    store: RunStore, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run = store.create(config)
    show = (
        "import json, os, sys; print(json.dumps([os.environ.get('OMP_NUM_THREADS'), os.getcwd()]))"
    )
    with pytest.raises(RunError, match="R08"):
        launch(run, (sys.executable, "-c", show))
    assert json.loads(run.console.read_text(encoding="utf-8")) == [None, str(ROOT)]


def test_clock_set_back_changes_no_duration(running: RunFolder, wait_for) -> None:
    """Case 61."""
    wait_for(lambda: len(read_events(running.events)) > 20)
    times = [event["elapsed_s"] for event in read_events(running.events)[1:]]
    assert times == sorted(times)
    assert this_process().create_time < time.monotonic() + 1  # counted since boot, not by the clock
