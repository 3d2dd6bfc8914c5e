"""Fill a workspace for the browser tests: ``python -m tests.browser.prepare FOLDER [--hostile]``.

A process of its own, so that the tests' process needs no torch. `FOLDER` gets ``images``,
``teacher`` and ``workspace``: a project with its images imported, and two finished runs.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

from core.measures import read_measures, setting_for
from core.projects import Project, ProjectStore
from core.runs.layout import RunFolder
from core.runs.process import launch, request_stop
from core.runs.status import RunStatus, status
from core.runs.store import RunStore
from core.tasks.store import TaskStore
from tests.browser.names import CLASSES, HOSTILE, TITLE
from tests.tiny import tiny_config, write_images, write_tiny_teacher


def prepare(folder: Path, *, hostile: bool = False) -> None:
    """Write images and teacher, import them as a project, train twice.

    Args:
        folder: Where to.
        hostile: Give everything that has a name one that is markup; train once, for a moment.
    """
    workspace = folder / "workspace"
    images, teacher = write_images(folder / "images"), write_tiny_teacher(folder / "teacher")
    if hostile:
        rename(images)
    config = tiny_config(images, teacher, **{"epochs": 1} if hostile else {})
    project = ProjectStore(workspace).create(HOSTILE if hostile else TITLE, config)
    wait_for(TaskStore(workspace).start("import", {"project": project.id}))
    measure_pair(workspace, project)
    store = RunStore(workspace)
    for method in ("rd",) if hostile else ("student_only", "rd"):
        asked = tiny_config(images, teacher, method, epochs=config.train.epochs)
        run = store.create(asked.model_copy(update={"name": HOSTILE}) if hostile else asked)
        launch(run)
        wait_for(run)


def measure_pair(workspace: Path, project: Project, seconds: float = 180.0) -> None:
    """Measure the chosen teacher and student alone, or the models page would begin by itself."""
    setting = setting_for(project)
    task = TaskStore(workspace).start("measure", {"project": project.id, "setting": setting.key})
    deadline = time.monotonic() + seconds
    while not read_measures(setting, workspace).students:
        assert status(task).is_live, task.console.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, f"nothing measured after {seconds} s"
        time.sleep(0.05)
    request_stop(task)
    while status(task).is_live:
        assert time.monotonic() < deadline, f"still measuring after {seconds} s"
        time.sleep(0.05)


def rename(images: Path) -> None:
    """Give files, classes and patients names that are markup."""
    table = images / "labels.csv"
    with table.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    classes = dict(zip(sorted({row["label"] for row in rows}), CLASSES, strict=True))
    for row in rows:
        plain = images / row["file"]
        row["file"] = f"{HOSTILE} {plain.name}"
        plain.rename(images / row["file"])
        row["label"] = classes[row["label"]]
        row["patient_id"] = f"{HOSTILE} {row['patient_id']}"
    with table.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


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
    prepare(Path(sys.argv[1]).resolve(), hostile="--hostile" in sys.argv)
