"""The benchmark's table says what was promised and whether it was kept."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from core.config import DataSettings, RunConfig
from core.runs.events import EventWriter, curve, read_events
from core.runs.store import RunStore
from tests.bench import interface
from tests.bench.interface import FIGURES, PARTS, table
from tests.bench.talker import PER_EPOCH, write_step


def shown(found: dict[str, Any]) -> list[str]:
    console = Console(width=120, file=io.StringIO())
    console.print(table(found))
    return str(console.file.getvalue()).splitlines()


def test_what_was_promised_is_judged() -> None:
    found: dict[str, Any] = {part: {} for part in PARTS}
    for figure in FIGURES:
        found[figure.part][figure.name] = figure.most if figure.most is not None else 1.0
    lines = shown(found)
    assert sum("kept" in line for line in lines) == sum(one.most is not None for one in FIGURES)
    assert not [line for line in lines if "missed" in line]
    found["polling"] |= {"poll_bytes": 2001, "zoom_kept": False}
    found["newcomer"]["clicks"] = 9
    assert sum("missed" in line for line in shown(found)) == 3


def test_parts_that_were_not_measured_are_left_out() -> None:
    lines = shown({"window": {"window_ms": 1.25}})
    assert [line for line in lines if "1.25" in line]
    assert not [line for line in lines if "Clicks" in line]


def test_unknown_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        interface.main(["nonsense"])
    assert "newcomer" in capsys.readouterr().err


def test_the_talker_writes_what_a_run_writes(workspace: Path) -> None:
    run = RunStore(workspace).create(RunConfig(data=DataSettings(source="demo")))
    with EventWriter(run, attempt=1) as writer:
        for step in range(2 * PER_EPOCH):
            write_step(writer, step)
    events = read_events(run.events)
    assert len(curve(events, "loss")) > PER_EPOCH
    assert [point.epoch for point in curve(events, "validation/auroc")] == [0.99, 1.99]
