"""The process of one task: ``python -m core.tasks.run FOLDER``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from core.files import read_json, write_json
from core.outbound import watch_connections
from core.runs.events import EventWriter
from core.runs.layout import RunFolder
from core.runs.work import run_worker


def main(arguments: list[str]) -> int:
    """Work on the task whose folder is the one argument; returns the exit code."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    folder = Path(arguments[0]).resolve()
    watch_connections(folder.parent.parent, "task")
    return run_worker(RunFolder(folder), lambda writer: _work(folder, writer), None)


def _work(folder: Path, writer: EventWriter) -> None:
    from core.tasks.base import TASKS, TaskContext  # its kinds import torch: sign in first

    asked = read_json(folder / "request.json")
    context = TaskContext(asked["request"], folder, folder.parent.parent, writer)
    write_json(folder / "result.json", TASKS.get(asked["kind"])(context))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
