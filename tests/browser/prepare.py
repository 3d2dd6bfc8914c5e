"""Fill a workspace for the browser tests: ``python -m tests.browser.prepare FOLDER``.

A process of its own, so that the tests' process needs no torch. `FOLDER` gets ``images``,
``teacher`` and ``workspace``: a project with its images imported, and two finished runs.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from core.projects import ProjectStore
from core.runs.layout import RunFolder
from core.runs.process import launch
from core.runs.status import RunStatus, status
from core.runs.store import RunStore
from core.tasks.store import TaskStore
from tests.tiny import tiny_config, write_images, write_tiny_teacher

TITLE = "Tiny lesions"


def prepare(folder: Path) -> None:
    """Write images and teacher, import them as a project, train twice."""
    workspace = folder / "workspace"
    images, teacher = write_images(folder / "images"), write_tiny_teacher(folder / "teacher")
    project = ProjectStore(workspace).create(TITLE, tiny_config(images, teacher))
    wait_for(TaskStore(workspace).start("import", {"project": project.id}))
    store = RunStore(workspace)
    for method in ("student_only", "rd"):
        run = store.create(tiny_config(images, teacher, method))
        launch(run)
        wait_for(run)


def wait_for(work: RunFolder, seconds: float = 180.0) -> None:
    """Return when a run or task is complete; complain when it ends otherwise."""
    deadline = time.monotonic() + seconds
    while (found := status(work)) is not RunStatus.COMPLETED:
        said = work.console.read_text(encoding="utf-8") if work.console.exists() else ""
        late = time.monotonic() > deadline
        assert not late, f"{work.id} is {found.value} after {seconds} s\n{said}"
        over = found in (RunStatus.FAILED, RunStatus.INTERRUPTED, RunStatus.STOPPED)
        assert not over, f"{work.id}: {found.value}\n{said}\n{work.events.read_text('utf-8')}"
        time.sleep(0.05)


if __name__ == "__main__":
    prepare(Path(sys.argv[1]).resolve())
