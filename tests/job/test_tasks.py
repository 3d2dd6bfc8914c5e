"""Tasks: work of the app in a process of its own, whose truth is on disk."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.config import DataSettings, PixelSettings, RunConfig
from core.errors import RunError
from core.projects import ProjectStore
from core.runs.events import read_events
from core.runs.layout import RunFolder
from core.runs.status import RunStatus, read_worker, status
from core.tasks.store import TaskStore, read_request, task_result
from tests.tiny import SIDE, write_images

PATIENCE_S = 120.0


@pytest.fixture
def tasks(workspace: Path) -> TaskStore:
    return TaskStore(workspace)


def project_of(workspace: Path, source: Path | str) -> str:
    """The id of a project for a folder."""
    settings = DataSettings(source=str(source), pixels=PixelSettings(size_px=SIDE))
    return ProjectStore(workspace).create("Tiny", RunConfig(data=settings)).id


def wait(task: RunFolder, *, until: str = "") -> RunStatus:
    """Wait for the end of a task, or for its first event of a type."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = status(task)
        if until and any(event["type"] == until for event in read_events(task.events)):
            return found
        if not found.is_live and found is not RunStatus.CREATED:
            return found
        time.sleep(0.02)
    raise AssertionError(task.console.read_text())


def failure(task: RunFolder) -> dict[str, Any]:
    """The last event of a task."""
    return read_events(task.events)[-1]


def test_an_import_from_beginning_to_end(tasks: TaskStore, workspace: Path, tmp_path: Path) -> None:
    name = project_of(workspace, write_images(tmp_path / "phantom", patients=6))
    task = tasks.start("import", {"project": name})
    assert tasks.live("import", project=name) == task
    assert wait(task) is RunStatus.COMPLETED
    assert tasks.live("import", project=name) is None
    assert tasks.newest("import", project=name) == task == tasks.open(task.id)
    result = task_result(task)
    assert result is not None
    assert result["usable"] == 12
    assert read_request(task) == {"kind": "import", "request": {"project": name}}
    assert ProjectStore(workspace).open(name).is_imported
    said = task.events.read_text() + task.console.read_text()
    assert "PHANTOM" not in said  # no patient's number
    assert "p0000" not in said  # no file's name


def test_a_failure_says_what_to_do(tasks: TaskStore, workspace: Path, tmp_path: Path) -> None:
    task = tasks.start("import", {"project": project_of(workspace, tmp_path / "gone")})
    assert wait(task) is RunStatus.FAILED
    assert failure(task)["code"] == "I01"
    assert failure(task)["todo"]
    assert task_result(task) is None


def test_one_class_is_read_and_not_divided(
    tasks: TaskStore, workspace: Path, tmp_path: Path
) -> None:
    images = write_images(tmp_path / "phantom", patients=6)
    table = (images / "labels.csv").read_text().replace("irregular", "round")
    (images / "labels.csv").write_text(table)
    name = project_of(workspace, images)
    assert wait(task := tasks.start("import", {"project": name})) is RunStatus.FAILED
    assert failure(task)["code"] == "T01"
    project = ProjectStore(workspace).open(name)
    assert project.found["usable"] == 12  # so that the page can show what there is
    assert not project.is_imported


def test_a_stopped_import_leaves_nothing(tasks: TaskStore, workspace: Path, tmp_path: Path) -> None:
    name = project_of(workspace, write_images(tmp_path / "phantom", patients=40))
    task = tasks.start("import", {"project": name})
    wait(task, until="phase")
    tasks.stop(task.id)
    assert wait(task) is RunStatus.STOPPED
    assert list((workspace / "datasets").iterdir()) == []
    assert not ProjectStore(workspace).open(name).found


def test_a_killed_import_is_interrupted_and_can_be_done_again(
    tasks: TaskStore, workspace: Path, tmp_path: Path
) -> None:
    name = project_of(workspace, write_images(tmp_path / "phantom", patients=30))
    task = tasks.start("import", {"project": name})
    wait(task, until="progress")
    worker = read_worker(task)
    assert worker is not None
    psutil.Process(worker.process.pid).kill()
    assert wait(task) is RunStatus.INTERRUPTED
    assert not ProjectStore(workspace).open(name).is_imported
    assert wait(tasks.start("import", {"project": name})) is RunStatus.COMPLETED
    (folder,) = (workspace / "datasets").iterdir()  # and what the first left is cleared away
    assert ProjectStore(workspace).open(name).found["id"] == folder.name


def test_unknown_tasks(tasks: TaskStore, workspace: Path) -> None:
    for name in ("", "..", "20260101-000000-import-0000", str(workspace)):
        with pytest.raises(RunError, match="R40"):
            tasks.open(name)
    assert tasks.newest("import", project="none") is None


def test_an_unknown_kind_fails_with_a_code(tasks: TaskStore) -> None:
    task = tasks.start("nonsense", {})
    assert wait(task) is RunStatus.FAILED
    assert failure(task)["code"] == "C10"


def test_tasks_are_deleted_when_idle(tasks: TaskStore) -> None:
    task = tasks.start("nonsense", {})
    wait(task)
    tasks.delete(task.id)
    assert not task.path.exists()
