"""The table of derived states: newest lifecycle event against the worker's card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.files import write_json
from core.runs.events import EventWriter
from core.runs.identity import this_process
from core.runs.layout import RunFolder
from core.runs.status import RunStatus, WorkerCard, last_lifecycle, status

ENDED = ("stopped", "completed", "failed")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def worker(run: RunFolder, *, alive: bool, attempt: int) -> None:
    me = this_process()
    process = me if alive else replace(me, create_time=me.create_time - 1000)
    write_json(run.worker, WorkerCard(process, attempt, "").to_json())


@pytest.mark.parametrize(
    ("last", "alive", "expected"),
    [
        (None, None, "created"),
        (None, True, "queued"),
        (None, False, "interrupted"),
        ("created", None, "created"),
        ("created", True, "queued"),
        ("created", False, "interrupted"),
        ("queued", True, "queued"),
        ("queued", False, "interrupted"),
        ("queued", None, "interrupted"),
        ("started", True, "running"),
        ("started", False, "interrupted"),
        ("started", None, "interrupted"),
        ("stop_requested", True, "stopping"),
        ("stop_requested", False, "interrupted"),
        *[(kind, alive, kind) for kind in ENDED for alive in (True, False, None)],
    ],
)
def test_status_table(run: RunFolder, last: str, alive: bool | None, expected: str) -> None:
    if last:
        with EventWriter(run, attempt=0 if last == "created" else 1) as writer:
            writer.lifecycle(last)
    if alive is not None:
        worker(run, alive=alive, attempt=1)
    assert status(run) == expected


@pytest.mark.parametrize("last", ["created", "queued", "started"])
def test_stop_file_means_stopping(run: RunFolder, last: str) -> None:
    with EventWriter(run, attempt=1) as writer:
        writer.lifecycle(last)
    worker(run, alive=True, attempt=1)
    run.stop.touch()
    assert status(run) is RunStatus.STOPPING
    worker(run, alive=False, attempt=1)
    assert status(run) is RunStatus.INTERRUPTED


@pytest.mark.parametrize("last", [*ENDED, "started", "stop_requested"])
def test_worker_of_a_new_attempt_counts_from_its_first_moment(run: RunFolder, last: str) -> None:
    with EventWriter(run, attempt=1) as writer:
        writer.lifecycle(last)
    worker(run, alive=True, attempt=2)
    assert status(run) is RunStatus.QUEUED
    worker(run, alive=False, attempt=2)
    assert status(run) is RunStatus.INTERRUPTED


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "\0\0"])
def test_damaged_worker_card_is_no_worker(run: RunFolder, content: str) -> None:
    with EventWriter(run, attempt=1) as writer:
        writer.lifecycle("started")
    run.worker.write_text(content)
    assert status(run) is RunStatus.INTERRUPTED


def test_newest_lifecycle_event_is_found_behind_a_long_curve(run: RunFolder) -> None:
    with EventWriter(run, attempt=1) as writer:
        writer.lifecycle("started", device="cpu")
        for step in range(1500):
            writer.metric("loss", 1.0, step=step, epoch=0.0)
        writer.alert("info", "R00", 'a text that says "type":"completed" is only a text')
    assert run.events.stat().st_size > 1 << 17
    event = last_lifecycle(run.events)
    assert event is not None
    assert (event["type"], event["device"]) == ("started", "cpu")
