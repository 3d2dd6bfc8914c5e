"""What the pages are told of runs and tasks, while they are written."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app import observe
from app.observe import FRESH_S, Observer
from core.config import DataSettings, RunConfig
from core.errors import RunError
from core.runs import status as status_module
from core.runs.events import EventWriter
from core.runs.layout import RunFolder
from core.runs.store import RunStore


@pytest.fixture
def run(workspace: Path) -> RunFolder:
    return RunStore(workspace).create(RunConfig(data=DataSettings(source="demo")))


@pytest.fixture
def writer(run: RunFolder) -> Iterator[EventWriter]:
    with EventWriter(run, attempt=1) as opened:
        opened.lifecycle("started")
        yield opened


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock of this test's; what was looked at is fresh until it moves on."""
    now = [1000.0]
    monkeypatch.setattr(observe.time, "monotonic", lambda: now[0])
    return now


def write_points(writer: EventWriter, steps: range) -> None:
    for step in steps:
        writer.metric("validation/auroc", step / 1000, step=step, epoch=step / 10)


def test_only_what_is_new_is_sent(workspace: Path, run: RunFolder, writer: EventWriter) -> None:
    observer = Observer(workspace)
    write_points(writer, range(5))
    first = observer.curve_rows(run.id, 0)
    assert first["names"] == ["validation/auroc"]
    assert [row[1] for row in first["rows"]] == [0, 1, 2, 3, 4]
    write_points(writer, range(5, 8))
    second = observer.curve_rows(run.id, 5)
    assert (second["since"], [row[1] for row in second["rows"]]) == (5, [5, 6, 7])
    assert second["points"] == 8
    assert observer.curve_rows(run.id, 8)["rows"] == []


def test_a_page_of_another_log_gets_everything(
    workspace: Path, run: RunFolder, writer: EventWriter
) -> None:
    write_points(writer, range(3))
    for since in (99, -1):
        found = Observer(workspace).curve_rows(run.id, since)
        assert (found["since"], len(found["rows"])) == (0, 3)


def test_a_restarted_server_tells_the_same(
    workspace: Path, run: RunFolder, writer: EventWriter
) -> None:
    write_points(writer, range(4))
    before = Observer(workspace)
    before.curve_rows(run.id, 0)
    write_points(writer, range(4, 6))
    assert before.curve_rows(run.id, 4)["rows"] == Observer(workspace).curve_rows(run.id, 4)["rows"]


def test_values_that_are_no_numbers_are_none(
    workspace: Path, run: RunFolder, writer: EventWriter
) -> None:
    for step, value in enumerate((float("nan"), float("inf"), 0.123456789)):
        writer.metric("validation/auroc", value, step=step, epoch=0.0)
    rows = Observer(workspace).curve_rows(run.id, 0)["rows"]
    assert [row[3] for row in rows] == [None, None, 0.12346]
    json.dumps(rows, allow_nan=False)


def test_a_torn_last_line_waits_until_it_is_whole(
    workspace: Path, run: RunFolder, writer: EventWriter
) -> None:
    observer = Observer(workspace)
    write_points(writer, range(2))
    whole = run.events.read_bytes()
    write_points(writer, range(2, 3))
    after = run.events.read_bytes()
    run.events.write_bytes(after[: len(whole) + 20])
    assert len(observer.curve_rows(run.id, 0)["rows"]) == 2
    run.events.write_bytes(after)
    assert [row[1] for row in observer.curve_rows(run.id, 2)["rows"]] == [2]


def test_many_tabs_see_every_point_once(
    workspace: Path, run: RunFolder, writer: EventWriter
) -> None:
    """Twenty tabs follow a log that grows under them."""
    observer = Observer(workspace)
    ready = threading.Event()

    def follow(_: int) -> list[int]:
        seen: list[int] = []
        while len(seen) < 400:
            ended = ready.is_set()
            found = observer.curve_rows(run.id, len(seen))
            assert found["since"] == len(seen)
            seen += [row[1] for row in found["rows"]]
            assert not ended or len(seen) == 400
        return seen

    with ThreadPoolExecutor(20) as pool:
        tabs = pool.map(follow, range(20))
        write_points(writer, range(400))
        ready.set()
        assert all(seen == list(range(400)) for seen in tabs)


def test_tabs_share_one_look_at_the_disk(
    workspace: Path, run: RunFolder, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    honest = status_module.status

    def counted(folder: RunFolder, newest: object) -> object:
        looks.append(folder.id)
        return honest(folder, newest)  # type: ignore[arg-type]

    monkeypatch.setattr(observe, "status", counted)
    observer = Observer(workspace)
    for _ in range(20):
        observer.curve_rows(run.id, 0)
        observer.live_jobs()
        observer.list_runs()
    assert len(looks) == 1
    clock[0] += FRESH_S + 0.01
    observer.curve_rows(run.id, 0)
    assert len(looks) == 2


def test_a_change_of_ours_is_seen_at_once(
    workspace: Path, run: RunFolder, clock: list[float]
) -> None:
    observer = Observer(workspace)
    assert len(observer.list_runs()) == 1
    other = observer.runs.create(RunConfig(data=DataSettings(source="demo")))
    assert len(observer.list_runs()) == 1  # as fresh as the last look
    observer.forget()
    assert [line.id for line in observer.list_runs()] == sorted([run.id, other.id], reverse=True)


def test_lines_of_the_list_are_read_again_only_when_files_changed(
    workspace: Path, run: RunFolder, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    honest = observe.summarise

    def counted(folder: RunFolder, newest: object) -> object:
        read.append(folder.id)
        return honest(folder, newest)  # type: ignore[arg-type]

    monkeypatch.setattr(observe, "summarise", counted)
    observer = Observer(workspace)
    for _ in range(5):
        observer.list_runs()
        clock[0] += FRESH_S + 0.01
    assert read == [run.id]
    with EventWriter(run, attempt=1) as writer:
        writer.lifecycle("failed", code="T01", what="x", item="", todo="", text="x")
    observer.list_runs()
    assert read == [run.id, run.id]


def test_deleted_run_is_a_sentence(workspace: Path, run: RunFolder) -> None:
    observer = Observer(workspace)
    observer.curve_rows(run.id, 0)
    shutil.rmtree(run.path)
    with pytest.raises(RunError, match="R01"):
        observer.curve_rows(run.id, 0)
    observer.forget()
    assert observer.list_runs() == []


@pytest.mark.parametrize("name", ["", "..", "../x", "/etc", "x" * 300, "20260101-000000-a-0000"])
def test_only_ids_of_runs_are_looked_up(workspace: Path, run: RunFolder, name: str) -> None:
    with pytest.raises(RunError, match="R01") as caught:
        Observer(workspace).run(name)
    assert len(caught.value.item) <= 80


def test_a_run_of_another_folder_is_not_found(
    workspace: Path, run: RunFolder, tmp_path: Path
) -> None:
    """The command line takes paths of runs, the pages never do."""
    elsewhere = tmp_path / run.id
    shutil.copytree(run.path, elsewhere)
    assert RunStore(workspace).open(str(elsewhere)).path == elsewhere
    with pytest.raises(RunError, match="R01"):
        Observer(workspace).run(str(elsewhere))


def test_time_left_follows_the_pace(workspace: Path, run: RunFolder, clock: list[float]) -> None:
    """Ten of a hundred steps have taken 20 s: 180 s are left, less what passes in silence."""
    observer = Observer(workspace)
    lines = [
        {"v": 1, "seq": done, "type": "progress", "attempt": 1, "elapsed_s": 2.0 * done,
         "done": done, "total": 100}
        for done in range(11)
    ]  # fmt: skip
    with run.events.open("a", encoding="utf-8") as log:
        log.writelines(json.dumps(line) + "\n" for line in lines)
    watch = observer.watch(run)
    assert watch._eta() == pytest.approx(180)
    clock[0] += 30
    assert watch._eta() == pytest.approx(150)
    clock[0] += 300
    assert watch._eta() == 0
    assert watch.summary()["eta_s"] is None  # no process is at the run: nothing is promised
    with EventWriter(run, attempt=1) as writer:
        writer.phase("evaluate", "Evaluating")
    assert (observer.watch(run)._eta(), watch.summary()["total"]) == (None, 0)


def test_few_logs_are_kept_in_memory(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "WATCHED", 3)
    observer = Observer(workspace)
    for _ in range(6):
        made = observer.runs.create(RunConfig(data=DataSettings(source="demo")))
        observer.curve_rows(made.id, 0)
    assert len(observer._watches) == 3
