"""The tasks of one workspace, seen from outside: start, look, stop, forget. Needs no torch.

A task's folder is laid out like a run's (`core.runs.layout`), so that events, status, stop file and
console are written and read by the same code; ``request.json`` and ``result.json`` are its own.
"""

from __future__ import annotations

import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from core.errors import RunError
from core.files import private_folder, read_json, write_json
from core.runs.events import EventWriter
from core.runs.layout import RunFolder, is_run_id, new_run_id
from core.runs.process import launch, request_stop, require_idle
from core.runs.status import status

PROGRAM = (sys.executable, "-m", "core.tasks.run")
RECENT = 8
KEPT = 200  # finished tasks; older ones are forgotten at the next start of a task


class TaskStore:
    """The tasks of a workspace.

    Args:
        workspace: The workspace.
    """

    def __init__(self, workspace: Path) -> None:
        self.folder = private_folder(private_folder(workspace) / "tasks")

    def start(self, kind: str, request: dict[str, Any]) -> RunFolder:
        """Start a task in a process of its own and return its folder.

        Args:
            kind: Name of a task in `core.tasks.kinds`.
            request: What it is asked, as plain values.

        Raises:
            RunError, SystemError_: See `core.runs.process.launch`.
        """
        task = RunFolder(self.folder / new_run_id(kind, datetime.now()))
        private_folder(task.path)
        write_json(task.path / "request.json", {"kind": kind, "request": request})
        with EventWriter(task, attempt=0) as writer:
            writer.lifecycle("created")
        launch(task, PROGRAM)
        self._forget_old()
        return task

    def open(self, name: str) -> RunFolder:
        """Find a task by its id.

        Raises:
            RunError: R40, there is none.
        """
        if not is_run_id(name) or not (self.folder / name).is_dir():
            raise RunError("R40", "There is no such task", item=name[:80])
        return RunFolder(self.folder / name)

    def newest(self, kind: str, **wanted: Any) -> RunFolder | None:
        """The newest task of a kind whose request holds the `wanted` values; None if none does."""
        for name in self._names():
            asked = read_request(RunFolder(self.folder / name))
            if asked.get("kind") == kind and wanted.items() <= asked["request"].items():
                return RunFolder(self.folder / name)
        return None

    def live(self, kind: str, **wanted: Any) -> RunFolder | None:
        """The same, if its process is at work."""
        found = self.newest(kind, **wanted)
        return found if found and status(found).is_live else None

    def recent(self) -> list[RunFolder]:
        """The last `RECENT` tasks, the newest first."""
        return [RunFolder(self.folder / name) for name in self._names()[:RECENT]]

    def stop(self, name: str) -> None:
        """Ask a task to stop; it leaves nothing half-done."""
        request_stop(self.open(name))

    def delete(self, name: str) -> None:
        """Forget a task and the files of its result."""
        task = self.open(name)
        require_idle(task)
        shutil.rmtree(task.path)

    def _names(self) -> list[str]:
        names = (path.name for path in self.folder.iterdir())
        return sorted((name for name in names if is_run_id(name)), reverse=True)

    def _forget_old(self) -> None:
        for name in self._names()[KEPT:]:
            if not status(RunFolder(self.folder / name)).is_live:
                shutil.rmtree(self.folder / name, ignore_errors=True)


def task_result(task: RunFolder) -> dict[str, Any] | None:
    """What a completed task returned; None before that."""
    file = task.path / "result.json"
    return read_json(file) if file.exists() else None


def read_request(task: RunFolder) -> dict[str, Any]:
    """``{"kind", "request"}`` of a task; empty ones where it cannot be read."""
    try:
        asked: dict[str, Any] = read_json(task.path / "request.json")
        return asked
    except (OSError, ValueError):
        return {"kind": "", "request": {}}
