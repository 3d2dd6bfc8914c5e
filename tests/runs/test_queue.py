"""The queue in front of a device, with real processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from core.runs.events import read_events
from core.runs.layout import RunFolder
from core.runs.process import request_stop
from core.runs.queue import DeviceQueue, Waiting
from core.runs.status import RunStatus, read_worker, status
from core.runs.store import RunStore
from core.types import Stopped


def never() -> bool:
    return False


def test_runs_are_served_in_order_of_arrival(start, wait_for) -> None:
    first = start()
    wait_for(lambda: status(first) is RunStatus.RUNNING)
    second = start(steps=20)
    wait_for(lambda: status(second) is RunStatus.QUEUED and told(second))
    third = start(steps=3)
    wait_for(lambda: told(third))
    assert told(second)[-1]["text"] == f"Waiting for cpu: run {first.id} is using it."
    assert told(third)[-1]["text"] == (
        f"Waiting for cpu: run {first.id} is using it and 1 more is ahead."
    )
    request_stop(first)
    wait_for(lambda: status(third) is RunStatus.COMPLETED)
    assert status(second) is RunStatus.COMPLETED
    assert told(third)[-1]["waits_for"] == second.id
    assert end_time(second) <= start_time(third)


def test_next_takes_over_when_the_holder_is_killed(start, wait_for) -> None:
    first = start()
    wait_for(lambda: status(first) is RunStatus.RUNNING)
    second = start()
    wait_for(lambda: told(second))
    worker = read_worker(first)
    assert worker is not None
    os.kill(worker.process.pid, signal.SIGKILL)
    wait_for(lambda: status(second) is RunStatus.RUNNING)
    assert status(first) is RunStatus.INTERRUPTED


def test_waiting_run_can_be_stopped_and_leaves_the_queue(start, wait_for, store: RunStore) -> None:
    first = start()
    wait_for(lambda: status(first) is RunStatus.RUNNING)
    second = start()
    wait_for(lambda: told(second))
    assert {summary.id: summary.text for summary in store.list()}[second.id].startswith("Waiting")
    request_stop(second)
    wait_for(lambda: status(second) is RunStatus.STOPPED)
    assert "started" not in [event["type"] for event in read_events(second.events)]
    assert len(list((store.folder.parent / "queue").rglob("*.ticket"))) == 1


def test_other_devices_do_not_wait(tmp_path: Path) -> None:
    with (
        DeviceQueue(tmp_path, "cuda:0").turn("a", pytest.fail, never),
        DeviceQueue(tmp_path, "cuda:1").turn("b", pytest.fail, never),
        DeviceQueue(tmp_path, "cpu").turn("c", pytest.fail, never),
    ):
        pass


def test_threads_of_one_process_queue_too(tmp_path: Path) -> None:
    order: list[str] = []
    waits: list[Waiting] = []

    def take(name: str) -> None:
        with DeviceQueue(tmp_path, "cpu").turn(name, waits.append, never):
            order.append(name)
            time.sleep(0.3)
            order.append(name)

    threads = [threading.Thread(target=take, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert order == ["a", "a", "b", "b", "c", "c"]
    assert [(waiting.run, waiting.ahead) for waiting in waits] == [("a", 0), ("a", 1), ("b", 0)]


def test_stop_while_waiting_raises(tmp_path: Path) -> None:
    with (
        DeviceQueue(tmp_path, "cpu").turn("a", pytest.fail, never),
        pytest.raises(Stopped),
        DeviceQueue(tmp_path, "cpu").turn("b", pytest.fail, lambda: True),
    ):
        pytest.fail("it is not its turn")
    assert not list(tmp_path.rglob("*.ticket"))


def told(run: RunFolder) -> list[dict]:
    return [event for event in read_events(run.events) if event["type"] == "queued"]


def start_time(run: RunFolder) -> str:
    return next(e["ts"] for e in read_events(run.events) if e["type"] == "started")


def end_time(run: RunFolder) -> str:
    return read_events(run.events)[-1]["ts"]
