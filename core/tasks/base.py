"""What the app asks of a process of its own, besides runs: imports, measurements, predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.registry import Registry
from core.types import Reporter


@dataclass(frozen=True)
class TaskContext:
    """What a task is handed.

    Attributes:
        request: What was asked, as plain values; the task validates it.
        folder: The task's own folder, for files that belong to its result.
        workspace: The workspace.
        reporter: Told the progress; asked whether to stop.
    """

    request: dict[str, Any]
    folder: Path
    workspace: Path
    reporter: Reporter


Task = Callable[[TaskContext], dict[str, Any]]
TASKS: Registry[Task] = Registry("task", "core.tasks.kinds")
