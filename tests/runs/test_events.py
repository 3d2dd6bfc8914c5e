"""The event log: whole lines, in order, few enough, and true to what happened."""

from __future__ import annotations

import errno
import json
import math
import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from core.errors import SystemError_
from core.runs.events import CurvePoint, EventTail, EventWriter, curve, read_events
from core.runs.layout import RunFolder
from core.runs.thinning import ALERTS_PER_CODE, ProgressThinner
from core.types import Reporter


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_writer_is_a_reporter(run: RunFolder) -> None:
    with EventWriter(run, attempt=3) as writer:
        reporter: Reporter = writer
        reporter.phase("train", "Träining")
        reporter.progress(1, 2)
        reporter.metric("loss", 0.5, step=1, epoch=0.5)
        reporter.alert("warning", "T99", "Careful")
        reporter.checkpoint(1, "best")
        assert not reporter.stop_requested()
        assert not reporter.finish_requested()
    events = read_events(run.events)
    assert [event["type"] for event in events] == [
        "phase", "progress", "metric", "alert", "checkpoint",
    ]  # fmt: skip
    assert [event["seq"] for event in events] == [0, 1, 2, 3, 4]
    assert {event["attempt"] for event in events} == {3}
    assert events[0]["text"] == "Träining"


def test_values_that_are_not_finite_are_missing(run: RunFolder) -> None:
    with EventWriter(run, attempt=1) as writer:
        for step, value in enumerate([1.0, math.nan, math.inf, -math.inf, 2.0]):
            writer.metric("loss", value, step=step, epoch=0.0)
    text = run.events.read_text(encoding="utf-8")
    assert not {"NaN", "Infinity"} & set(text.replace(":", " ").replace(",", " ").split())
    values = [point.value for point in curve(read_events(run.events), "loss")]
    assert values == [1.0, None, None, None, 2.0]


@pytest.mark.parametrize("torn", [b'{"v":1,"seq":1,"type":"met', b"\0" * 700, b'{"v":1}', b"\xff"])
def test_torn_last_line_is_ignored_and_repaired(run: RunFolder, torn: bytes) -> None:
    with EventWriter(run, attempt=1) as writer:
        writer.lifecycle("started")
    whole = run.events.read_bytes()
    run.events.write_bytes(whole + torn)
    assert [event["type"] for event in read_events(run.events)] == ["started"]
    with EventWriter(run, attempt=2) as writer:
        writer.lifecycle("completed")
    assert run.events.read_bytes().startswith(whole + b'{"v":1,"seq":1,')
    assert [event["type"] for event in read_events(run.events)] == ["started", "completed"]


def test_lines_that_are_no_events_are_passed_over(run: RunFolder) -> None:
    with EventWriter(run, attempt=1) as writer:
        writer.lifecycle("started")
    with run.events.open("ab") as log:
        log.write(b'\0\0\n[1]\nnull\n{"type":5}\n{"seq":7,"type":"of the future","attempt":1}\n')
    assert [event["type"] for event in read_events(run.events)] == ["started", "of the future"]
    with EventWriter(run, attempt=2) as writer:
        writer.lifecycle("started")
    assert read_events(run.events)[-1]["seq"] == 8


def test_tail_gives_each_event_once_and_waits_for_line_ends(run: RunFolder) -> None:
    tail = EventTail(run.events)
    assert tail.new() == []
    with EventWriter(run, attempt=1) as writer:
        writer.phase("import", "Reading")
        assert [event["type"] for event in tail.new()] == ["phase"]
        assert tail.new() == []
        line = b'{"v":1,"seq":1,"type":"progress"}\n'
        with run.events.open("ab") as log:
            log.write(line[:10])
            log.flush()
            assert tail.new() == []
            log.write(line[10:])
    assert [event["type"] for event in tail.new()] == ["progress"]
    assert EventTail(run.events, tail.offset).new() == []
    assert len(EventTail(run.events).new()) == 2


@pytest.mark.parametrize("names", [1, 6, 14])
def test_longest_run_stays_under_ten_thousand_lines(run: RunFolder, names: int) -> None:
    steps, per_epoch = 200_000, 2000
    with EventWriter(run, attempt=1) as writer:
        for step in range(steps):
            for name in range(names):
                writer.metric(f"loss/{name}", float(step), step=step, epoch=step / per_epoch)
            writer.progress(step + 1, steps)
            if step % per_epoch == per_epoch - 1:
                writer.metric("validation/auroc", step / steps, step=step, epoch=step / per_epoch)
    events = read_events(run.events)
    assert 4000 < len(events) < 10_000
    points = curve(events, "loss/0")
    assert len(points) > 400
    assert [point.step for point in points[:250]] == list(range(250))
    assert points[-1] == CurvePoint(steps - 1, (steps - 1) / per_epoch, float(steps - 1))
    assert all(point.value == point.step for point in points)
    assert max(later.step - point.step for point, later in pairwise(points)) < steps / 10
    assert len(curve(events, "validation/auroc")) == steps / per_epoch


def test_gap_is_never_thinned_away(run: RunFolder) -> None:
    with EventWriter(run, attempt=1) as writer:
        for step in range(20_000):
            value = math.nan if step == 15_001 else 1.0
            writer.metric("loss", value, step=step, epoch=0.0)
    assert CurvePoint(15_001, 0.0, None) in curve(read_events(run.events), "loss")


def test_progress_is_frequent_at_first_and_in_proportion_later() -> None:
    thinner = ProgressThinner(0.0)
    thinner.enter_phase(0.0)
    day = 24 * 3600
    kept = [now for now in range(day) if thinner.keep(now, day, float(now))]
    assert kept[:100] == list(range(100))
    assert len(kept) < 3000
    assert thinner.keep(day, day, float(day))


def test_repeated_alert_is_cut_short_and_says_so(run: RunFolder) -> None:
    with EventWriter(run, attempt=1) as writer:
        for number in range(500):
            writer.alert("warning", "T30", f"Step {number} was skipped.")
        writer.alert("warning", "T31", "Another.")
    texts = [event["text"] for event in read_events(run.events)]
    assert len(texts) == ALERTS_PER_CODE + 1
    assert "not written" in texts[-2]


def test_stop_and_finish_are_told_once(run: RunFolder) -> None:
    with EventWriter(run, attempt=1) as writer:
        run.finish_now.touch()
        run.stop.touch()
        assert all(writer.finish_requested() and writer.stop_requested() for _ in range(5))
    types = [event["type"] for event in read_events(run.events)]
    assert types == ["alert", "stop_requested"]


def test_a_run_that_is_back_at_an_earlier_step_rewinds_the_curve(run: RunFolder) -> None:
    with EventWriter(run, attempt=1) as writer:
        for step in [*range(20), *range(8, 26)]:  # returned to a checkpoint
            writer.metric("loss", 1.0, step=step, epoch=0.0)
        writer.metric("auroc", 0.5, step=10, epoch=1.0)
    with EventWriter(run, attempt=2) as writer:
        for step in range(21, 30):
            writer.metric("loss", 2.0, step=step, epoch=0.0)
    events = read_events(run.events)
    points = curve(events, "loss")
    assert [point.step for point in points] == list(range(30))
    assert [point.value for point in points] == [1.0] * 21 + [2.0] * 9
    assert [point.step for point in curve(events, "auroc")] == [10]
    assert curve(events, "nothing") == []


def test_full_disk_costs_scalars_but_not_the_work(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    full = False

    def write(descriptor: int, line: bytes) -> int:
        if full:
            real(descriptor, line[:7])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, line)

    monkeypatch.setattr(os, "write", write)
    with EventWriter(run, attempt=1) as writer:
        writer.lifecycle("started")
        full = True
        for step in range(3):
            writer.metric("loss", 1.0, step=step, epoch=0.0)
        with pytest.raises(SystemError_, match=r"E01.*No space"):
            writer.lifecycle("failed")
        run.stop.touch()
        assert writer.stop_requested()
        full = False
        writer.metric("loss", 1.0, step=3, epoch=0.0)
    lines = [json.loads(line) for line in run.events.read_text(encoding="utf-8").splitlines()]
    assert [line["type"] for line in lines] == ["started", "alert", "metric"]
    assert lines[1]["code"] == "R21"
    assert "3 events" in lines[1]["text"]
    assert [line["seq"] for line in lines] == [0, 1, 2]


def test_read_only_folder_is_a_sentence(tmp_path: Path) -> None:
    """Case 54: the log is opened before anything is computed."""
    with pytest.raises(SystemError_, match="E01"):
        EventWriter(RunFolder(tmp_path / "missing"), attempt=1)


def test_an_event_is_cheap(run: RunFolder) -> None:
    with EventWriter(run, attempt=1) as writer:
        start = time.perf_counter()
        for step in range(2000):
            writer.metric("loss", 1.0, step=step, epoch=0.0)
        assert (time.perf_counter() - start) / 2000 < 0.002
