"""What the Test page's routes do: find runs, have pictures looked at, start what takes longer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from app.examiner import LOST, Examinations, Examiner, purge
from app.ingest import Incoming
from app.observe import Observer
from app.review import figures_of, split_counts
from app.text import test as text
from core.errors import BedsideError, DataError, RunError
from core.files import write_text
from core.inference.card import read_card
from core.runs.layout import RunFolder
from core.runs.seal import openings
from core.runs.status import RunStatus, status
from core.runs.store import RunSummary
from core.tasks.store import read_request
from core.types import SplitName

FEW = 24  # files that are looked at one by one; more become a table
QUOTED = re.compile(r"""^(["'])(.*)\1$""")


class Desk:
    """What the routes of this page do.

    Args:
        observer: The workspace as the pages see it.
    """

    def __init__(self, observer: Observer) -> None:
        purge(observer.workspace)  # what a killed server left
        self.observer = observer
        self.examiner = Examiner(observer.workspace)
        self.examinations = Examinations(observer.workspace)
        self.incoming = Incoming(observer.workspace)

    def run(self, name: str) -> RunFolder:
        """A complete run.

        Raises:
            RunError: R01, there is none; R65, it is not complete.
        """
        run = self.observer.run(name)
        if status(run) is not RunStatus.COMPLETED:
            raise RunError("R65", text.NOT_COMPLETE, item=run.id, todo=text.NOT_COMPLETE_TODO)
        return run

    def runs(self, asked: str) -> dict[str, Any]:
        """The complete runs of the project, the newest first, and the one asked for."""
        project = self.observer.project()
        source = project.config.data.source if project else ""
        lines = [line for line in self.observer.list_runs() if line.status is RunStatus.COMPLETED]
        mine = [line for line in lines if line.source == source or line.id == asked]
        return {"runs": [self._line(line) for line in mine], "project": bool(project)}

    def describe(self, name: str) -> dict[str, Any]:
        """What a run's student can be asked."""
        run = self.run(name)
        card = read_card(run.export)
        facts = card.model_dump(mode="json", include={"classes", "task", "thresholds", "image_px",
                                                      "title", "synthetic", "pixels"})  # fmt: skip
        figures = figures_of(run, SplitName.VALIDATION) or {}
        newest = self.observer.tasks.newest("predict", run=run.id)
        return facts | {
            "id": run.id,
            "teacher": card.teacher.title if card.teacher else None,
            "has_teacher": (run.path / "probe.safetensors").exists(),
            "positive": figures.get("positive"),
            "table": newest.id if newest else None,
        }

    def examine(self, name: str, kind: str, shown: str, **asked: Any) -> dict[str, Any]:
        """Let the child look at a picture.

        Args:
            name: A complete run.
            kind: ``"new"``, ``"row"`` or ``"validation"``.
            shown: What the picture is called on the page.
            **asked: What to look at; see `core.examine.Examiner.examine`.
        """
        run = self.run(name)
        self.examinations.forget_old()
        told = {"run": run.id, "kind": kind, "name": shown} | (
            {"image": asked["image"]} if "image" in asked else {}
        )
        folder = self.examinations.begin(told, asked)
        try:
            self.examiner.ask({"do": "examine", "run": run.id, "target": str(folder)} | asked)
        except BedsideError as error:
            if error.code not in LOST:
                raise
            self.examinations.note_loss(folder, run.id, error)
        else:
            self.mark(run)
        return self.examinations.facts(folder.name)

    def turn(self, name: str, picture: int) -> dict[str, Any]:
        """Look at another picture of the file that an examination is of.

        Raises:
            RunError: R64, there is no such examination.
        """
        told = self.examinations.facts(name)
        asked = self.examinations.asked(name) | {"picture": picture}
        return self.examine(told["run"], told["kind"], told["name"], **asked)

    def mark(self, run: RunFolder) -> None:
        """Note in the run that its student has been looked at: the rail's tick."""
        if not (run.path / "examined").exists():
            write_text(run.path / "examined", "")
            self.observer.forget()

    def look_at_path(self, name: str, given: str) -> dict[str, Any]:
        """A file is to be looked at; the classification of a folder is started.

        Raises:
            DataError: I50, there is neither at this path.
        """
        path = clean_path(given)
        if path.is_dir():
            return self.classify(name, path)
        return {"files": [path.name]}

    def look_at_arrived(self, name: str, arrived: str) -> dict[str, Any]:
        """A few dropped files are to be looked at; the classification of more is started."""
        found = self.incoming.open(arrived)
        if found.files > FEW:
            return self.classify(name, found.folder)
        return {"files": [path.name for path in self.arrived_files(arrived)]}

    def arrived_files(self, arrived: str) -> list[Path]:
        """The dropped files in the order in which they are numbered."""
        folder = self.incoming.open(arrived).folder
        return sorted(path for path in folder.rglob("*") if path.is_file())

    def classify(self, name: str, folder: Path) -> dict[str, Any]:
        """Start to classify a folder, unless that is being done.

        Raises:
            RunError: R66, another folder is being classified.
        """
        run = self.run(name)
        asked = {"run": run.id, "path": str(folder)}
        tasks = self.observer.tasks
        if (same := tasks.live("predict", **asked)) is not None:
            return {"task": same.id}
        if tasks.live("predict") is not None:
            raise RunError("R66", text.BUSY, todo=text.BUSY_TODO)
        task = tasks.start("predict", asked)
        self.mark(run)
        self.observer.forget()
        return {"task": task.id}

    def table(self, task: str, file: str) -> Path:
        """A file of a finished table of predictions.

        Raises:
            RunError: R68, there is none.
        """
        folder = self.observer.tasks.open(task)
        if read_request(folder)["kind"] != "predict" or not (folder.path / file).is_file():
            raise RunError("R68", text.NO_TABLE, todo=text.NO_TABLE_TODO)
        return folder.path / file

    def forget_table(self, task: str) -> None:
        """Delete a table of predictions, and the images if they were dropped on the page."""
        asked = read_request(self.observer.tasks.open(task))
        if asked["kind"] != "predict":
            raise RunError("R68", text.NO_TABLE, todo=text.NO_TABLE_TODO)
        self.observer.tasks.delete(task)
        place = Path(asked["request"]["path"])
        if place.parent.parent == self.incoming.folder:
            self.incoming.remove(place.parent.name)
        self.observer.forget()

    def sealed(self, name: str) -> dict[str, Any]:
        """The sealed test set, without a look into it unless it was opened for this run."""
        run = self.run(name)
        task = self.observer.tasks.newest("open_test", run=run.id)
        return {
            "openings": [{"ts": opening["ts"], "run": opening["run"]} for opening in openings(run)],
            "counts": split_counts(run),
            "validation": figures_of(run, SplitName.VALIDATION),
            "test": figures_of(run, SplitName.TEST),
            "task": task.id if task else None,
        }

    def open_test(self, name: str, *, understood: bool) -> dict[str, Any]:
        """Start to open the test set, unless that is being done.

        Raises:
            RunError: R69, it was not confirmed.
        """
        run = self.run(name)
        if not understood:
            raise RunError("R69", text.NOT_UNDERSTOOD, todo=text.NOT_UNDERSTOOD_TODO)
        tasks = self.observer.tasks
        task = tasks.live("open_test", run=run.id) or tasks.start("open_test", {"run": run.id})
        self.observer.forget()
        return {"task": task.id}

    def _line(self, line: RunSummary) -> dict[str, Any]:
        figures = figures_of(RunFolder(self.observer.runs.folder / line.id), SplitName.VALIDATION)
        found = figures["figures"].get("auroc") if figures else None
        return {
            "id": line.id, "name": line.name, "method": line.method,
            "created": line.created.isoformat(), "auroc": found and found["value"],
        }  # fmt: skip


def clean_path(given: str) -> Path:
    """The file or folder that a pasted path names; Windows copies paths in quotation marks.

    Raises:
        DataError: I50, there is none.
    """
    plain = QUOTED.sub(r"\2", given.strip()).strip()
    if not plain:
        raise DataError("I51", text.EMPTY_PATH, todo=text.EMPTY_PATH_TODO)
    try:
        path = Path(plain).expanduser()
        found = path.is_absolute() and path.exists()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, no home
        found = False
    if not found:
        raise DataError("I50", text.NO_PATH, todo=text.NO_PATH_TODO)
    return path
