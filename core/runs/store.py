"""The runs of one workspace: create, list, find, delete."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.config import RunConfig, load_config
from core.errors import BedsideError, RunError, SystemError_
from core.files import private_folder, write_text
from core.runs.events import Event, EventWriter
from core.runs.layout import RunFolder, created_at, is_run_id, new_run_id
from core.runs.process import require_idle
from core.runs.status import RunStatus, last_lifecycle, status

Fill = Callable[[RunFolder, EventWriter], None]
UNFINISHED = ".new-"  # prefixes of folders that are coming or going, and are no runs
DELETED = ".deleted-"


@dataclass(frozen=True)
class RunSummary:
    """One line of the list of runs.

    Args:
        id: The run's id.
        name: The name the user gave it; the id when the request cannot be read.
        status: What it is doing.
        created: When it was asked for, local time, from its id.
        method: Name of the method; "" when the request cannot be read.
        teacher: Name of the teacher; "" as above.
        student: Name of the student; "" as above.
        source: The folder of images it was asked to read, or "demo"; "" as above.
        text: What its newest change of state says (what it waits for, why it failed), or "".
        problem: Why the request cannot be read, or "".
    """

    id: str
    name: str
    status: RunStatus
    created: datetime
    method: str = ""
    teacher: str = ""
    student: str = ""
    source: str = ""
    text: str = ""
    problem: str = ""


class RunStore:
    """The run directories of a workspace.

    Args:
        workspace: The workspace; made when missing, closed to other users.
    """

    def __init__(self, workspace: Path) -> None:
        self.folder = private_folder(private_folder(workspace) / "runs")

    def create(self, config: RunConfig, fill: Fill | None = None) -> RunFolder:
        """Make the directory of a new run; it appears whole or not at all.

        Args:
            config: The request.
            fill: Puts more into the directory, and into its log, before it appears.

        Raises:
            SystemError_: The workspace cannot be written.
        """
        run = self._new_folder(config.name)
        draft = None
        try:
            draft = RunFolder(Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.folder)))
            write_text(draft.config, config.to_json())
            with EventWriter(draft, attempt=0) as writer:
                writer.lifecycle("created", name=config.name)
                if fill:
                    fill(draft, writer)
            draft.path.rename(run.path)
        except OSError as error:
            raise SystemError_(
                "E01",
                f"A run could not be created ({error.strerror or 'unknown reason'})",
                item=run.id,
                todo="Free some disk space or choose a workspace that can be written.",
            ) from error
        finally:
            if draft:
                shutil.rmtree(draft.path, ignore_errors=True)
        return run

    def list(self) -> list[RunSummary]:
        """Every run, the newest first."""
        names = sorted((path.name for path in self.folder.iterdir()), reverse=True)
        return [summarise(RunFolder(self.folder / name)) for name in names if is_run_id(name)]

    def open(self, name: str) -> RunFolder:
        """Find a run by its id, the beginning of it if that fits one run only, or its path.

        Raises:
            RunError: There is none, or there are several.
        """
        ids = [path.name for path in self.folder.iterdir() if is_run_id(path.name)]
        matches = [found for found in ids if name and found.startswith(name)]
        if name in ids or len(matches) == 1:
            return RunFolder(self.folder / (name if name in ids else matches[0]))
        if matches:
            raise RunError(
                "R02",
                f"{len(matches)} runs begin like this",
                item=name,
                todo=f"Write more of the id: {', '.join(sorted(matches)[:5])}.",
            )
        path = Path(name)
        if name and is_run_id(path.resolve().name) and (path / "config.json").is_file():
            return RunFolder(path.resolve())
        raise RunError(
            "R01",
            "There is no such run",
            item=path.name,
            todo="`python launch.py runs` lists the runs there are.",
        )

    def delete(self, name: str) -> None:
        """Delete a run of this workspace with everything in it; links in it are not followed.

        Args:
            name: As for `open`.

        Raises:
            RunError: There is none, a worker is at it, or it does not lie in this workspace.
            SystemError_: Something of it could not be deleted; it is no longer listed.
        """
        run = self.open(name)
        if run.path.is_symlink() or run.path.resolve().parent != self.folder.resolve():
            raise RunError(
                "R04",
                "Only runs of this workspace can be deleted",
                item=run.id,
                todo="Delete the folder by hand if you mean it.",
            )
        require_idle(run)
        for leftover in self.folder.glob(f"{DELETED}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            # Renamed first, so that no half-deleted run is ever listed.
            shutil.rmtree(run.path.rename(self.folder / f"{DELETED}{run.id}"))
        except OSError as error:
            raise SystemError_(
                "E06",
                f"The run could not be deleted whole ({error.strerror or 'unknown reason'})",
                item=run.id,
                todo="Close programs that show its files, then delete any run to try again.",
            ) from error

    def _new_folder(self, name: str) -> RunFolder:
        while True:
            run = RunFolder(self.folder / new_run_id(name, datetime.now()))
            if not run.path.exists():
                return run


def disk_used(run: RunFolder) -> int:
    """Bytes that a run takes; what cannot be looked at counts nothing."""
    total = 0
    for folder, _, names in os.walk(run.path):
        for name in names:
            try:
                total += (Path(folder) / name).lstat().st_size
            except OSError:
                continue
    return total


def summarise(run: RunFolder, newest: Callable[[], Event | None] | None = None) -> RunSummary:
    """The line of one run; a request that cannot be read is a `problem`, not an error.

    Args:
        run: The run.
        newest: As for `core.runs.status.status`.
    """
    event = newest() if newest else last_lifecycle(run.events)
    text = str(event.get("text", "")) if event else ""
    created, state = created_at(run.id), status(run, newest)
    try:
        config = load_config(run.config)
    except BedsideError as error:
        return RunSummary(run.id, run.id, state, created, text=text, problem=error.sentence)
    return RunSummary(
        run.id,
        config.name,
        state,
        created,
        method=config.method.name,
        teacher=config.teacher.name,
        student=config.student.name,
        source=config.data.source,
        text=text,
    )
