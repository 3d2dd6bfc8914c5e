"""What the Export page says of runs that are not as they should be."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from app.export_facts import describe_export, finished_run
from app.observe import Observer
from core.errors import ExportError, RunError
from core.files import write_json
from core.projects import ProjectStore
from core.runs.events import EventWriter
from core.runs.layout import RunFolder
from tests.tiny import tiny_config

DIFFER = "[X01] The exported files differ from the student by 0.2; 0.0001 is allowed."


@pytest.fixture
def observer(workspace: Path) -> Observer:
    ProjectStore(workspace).create("Tiny", tiny_config(workspace / "images", workspace / "t"))
    return Observer(workspace)


def put_run(observer: Observer, ending: str, method: str = "rd", text: str = "") -> RunFolder:
    config = tiny_config(observer.workspace / "images", observer.workspace / "t", method)
    run = observer.runs.create(config)
    with EventWriter(run, attempt=1) as writer:
        writer.lifecycle("started")
        writer.lifecycle(ending, text=text)  # type: ignore[arg-type]
    observer.forget()
    return run


def test_without_a_finished_run_there_is_nothing_to_hand_over(observer: Observer) -> None:
    put_run(observer, "stopped")
    put_run(observer, "failed", text="[T40] The loss is no longer a number.")
    found = describe_export(observer, "")
    assert (found["runs"], found["run"]) == ([], None)
    assert found["project"] == {"title": "Tiny", "imported": False}


def test_files_that_differ_are_shown_red_and_never_handed_over(observer: Observer) -> None:
    run = put_run(observer, "failed", text=DIFFER)
    found = describe_export(observer, "")["run"]
    assert found["id"] == run.id
    assert found["parity"]["state"] == "differs"
    assert found["parity"]["text"].startswith("The exported files differ")
    with pytest.raises(ExportError) as caught:
        finished_run(observer, run.id)
    assert caught.value.code == "X20"


def test_a_run_without_its_files_is_damaged_not_green(observer: Observer) -> None:
    put_run(observer, "completed")
    found = describe_export(observer, "")["run"]
    assert found["parity"]["state"] == "damaged"
    assert found["parity"]["problem"]["code"] == "M40"
    assert (found["student_card"], found["files"]) == (None, [])


def test_the_newest_run_with_a_teacher_is_shown_first(observer: Observer) -> None:
    taught = put_run(observer, "completed")
    alone = put_run(observer, "completed", "student_only")
    assert describe_export(observer, "")["run"]["id"] == taught.id
    assert describe_export(observer, alone.id)["run"]["id"] == alone.id
    assert {line["id"] for line in describe_export(observer, "")["runs"]} == {taught.id, alone.id}


def test_an_address_that_names_no_finished_run_says_so(observer: Observer) -> None:
    shown = put_run(observer, "completed")
    stopped = put_run(observer, "stopped")
    for asked, code in ((stopped.id, "X20"), ("20260101-000000-gone-0000", "R01"), ("../x", "R01")):
        found = describe_export(observer, asked)
        assert found["problem"]["code"] == code
        assert found["run"]["id"] == shown.id
    with pytest.raises(RunError):
        finished_run(observer, "../x")


def test_a_run_of_another_project_can_be_reached_by_its_address(
    observer: Observer, workspace: Path
) -> None:
    run = put_run(observer, "completed")
    ProjectStore(workspace).create("Other", tiny_config(workspace / "other", workspace / "t"))
    observer.forget()
    assert describe_export(observer, "")["run"] is None
    assert describe_export(observer, run.id)["run"]["id"] == run.id


def test_a_report_is_stale_when_figures_came_later(observer: Observer) -> None:
    run = put_run(observer, "completed")
    assert describe_export(observer, "")["run"]["report"]["there"] is False
    write_json(run.report / "validation.json", {"figures": {}})
    (run.report / "report.html").write_text("<p>")
    assert describe_export(observer, "")["run"]["report"]["stale"] == []
    before = time.time() - 60
    os.utime(run.report / "report.html", (before, before))
    assert describe_export(observer, "")["run"]["report"]["stale"] == ["figures"]
