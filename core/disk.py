"""What the workspace takes on the disk, what uses it, and what may be deleted; needs no torch."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import RunError, SystemError_
from core.files import read_facts
from core.projects import ProjectStore, folder_bytes
from core.runs.layout import RunFolder
from core.runs.status import RunStatus, status
from core.runs.store import RunStore, RunSummary
from core.tasks.store import TaskStore
from core.teachers.room import STORE_NAME

KINDS = ("runs", "datasets", "features", "teachers", "incoming")
UNFINISHED = re.compile(r"\.[0-9a-f]{16}\.\d+-\d+")  # see core.data.workplace
NAME = re.compile(rf"[0-9a-f]{{16}}|{STORE_NAME}|{UNFINISHED.pattern}")
GOING = ".deleted-"
Facts = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """One data set or store of features.

    Attributes:
        kind: "datasets" or "features".
        name: Name of its folder.
        bytes: What it takes.
        facts: What it is: for data sets ``images``, ``size_px``, ``classes``, ``synthetic``, and
            ``unfinished`` where an import was stopped or killed; for stores ``teacher``,
            ``images``, ``views``; empty where that cannot be read.
        projects: Titles of the projects that use it.
        runs: Names of the runs that need it.
    """

    kind: str
    name: str
    bytes: int
    facts: Facts
    projects: tuple[str, ...]
    runs: tuple[str, ...]

    @property
    def needed_by(self) -> tuple[str, ...]:
        """What must be gone before it may be deleted; features are only computed anew."""
        return (*self.projects, *self.runs) if self.kind == "datasets" else self.runs


def disk_by_kind(workspace: Path) -> dict[str, int]:
    """Bytes of runs, data sets, stores of features, teachers, dropped files, and the rest."""
    found = {kind: folder_bytes(workspace / kind) for kind in KINDS}
    return found | {"other": max(0, folder_bytes(workspace) - sum(found.values()))}


def list_items(workspace: Path) -> list[Item]:
    """Every data set and every store of features, with what uses it."""
    used = _Users(workspace)
    return [
        *_items(workspace, "datasets", _dataset_facts, used.of_dataset),
        *_items(workspace, "features", _store_facts, used.of_store),
    ]


def delete_item(workspace: Path, kind: str, name: str) -> int:
    """Delete a data set or a store of features.

    Returns:
        Bytes that were freed.

    Raises:
        RunError: R70, there is none; R71, a run or an import is at work; R72, a run needs it.
        SystemError_: E06, something of it could not be deleted.
    """
    found = next((i for i in list_items(workspace) if (i.kind, i.name) == (kind, name)), None)
    if found is None:
        raise RunError("R70", "It is not there any more", todo="Look at the list again.")
    require_quiet(workspace)
    if found.needed_by:
        raise RunError(
            "R72",
            "It is still needed",
            item=", ".join(found.needed_by),
            todo="Delete these first, if you do not need them: projects on Data, runs on Train.",
        )
    folder = workspace / kind / name
    try:  # renamed first, so that nothing half-deleted is ever found by its name
        shutil.rmtree(folder.rename(folder.with_name(f"{GOING}{name}")))
    except OSError as error:
        raise SystemError_(
            "E06",
            f"It could not be deleted whole ({error.strerror or 'unknown reason'})",
            todo="Close programs that show its files, then try again.",
        ) from error
    return found.bytes


def require_quiet(workspace: Path) -> None:
    """Refuse to delete while a run or a task might be reading.

    Raises:
        RunError: R71, one is at work.
    """
    live = [line.name for line in RunStore(workspace).list() if line.status.is_live]
    live += [task.id for task in TaskStore(workspace).recent() if status(task).is_live]
    if live:
        raise RunError(
            "R71",
            "Something is at work that may need it",
            item=", ".join(live),
            todo="Wait until it ends, or stop it, then delete.",
        )


class _Users:
    """Which projects and runs a data set or a store belongs to."""

    def __init__(self, workspace: Path) -> None:
        self._projects = [
            (project.title, read_facts(project.folder / "dataset.json"))
            for project in ProjectStore(workspace).list()
        ]
        store = RunStore(workspace)
        self._runs = [(line, RunFolder(store.folder / line.id)) for line in store.list()]

    def of_dataset(self, facts: Facts) -> tuple[list[str], list[str]]:
        """Runs need their pictures for as long as they are there: for tests and reports."""
        name = facts.get("id")
        projects = [title for title, found in self._projects if found.get("id") == name]
        runs = [_title(line) for line, run in self._runs if _dataset(run).get("id") == name]
        return projects, runs

    def of_store(self, facts: Facts) -> tuple[list[str], list[str]]:
        """Only a run that may still be resumed needs features; others would compute them anew."""
        data, teacher = facts.get("data_sha256"), facts.get("teacher_sha256")
        if not data:
            return [], []
        projects = [title for title, found in self._projects if found.get("sha256") == data]
        runs = [
            _title(line)
            for line, run in self._runs
            if line.status is not RunStatus.COMPLETED
            and _dataset(run).get("sha256") == data
            and read_facts(run.path / "teacher.json").get("sha256") == teacher
        ]
        return projects, runs


def _items(
    workspace: Path,
    kind: str,
    describe: Callable[[Path], Facts],
    users: Callable[[Facts], tuple[list[str], list[str]]],
) -> list[Item]:
    home = workspace / kind
    folders = sorted(home.iterdir()) if home.is_dir() else []
    items = []
    for folder in folders:
        if not NAME.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
            continue
        facts = describe(folder)
        projects, runs = users(facts)
        size = folder_bytes(folder)
        items.append(Item(kind, folder.name, size, facts, tuple(projects), tuple(runs)))
    return items


def _dataset_facts(folder: Path) -> Facts:
    found = read_facts(folder / "dataset.json")
    pixels = found.get("pixels", {})
    wanted = ("sha256", "images", "usable", "classes", "synthetic")
    facts = {name: found.get(name) for name in wanted}
    unfinished = UNFINISHED.fullmatch(folder.name) is not None
    return facts | {"id": folder.name, "size_px": pixels.get("size_px"), "unfinished": unfinished}


def _store_facts(folder: Path) -> Facts:
    about, progress = read_facts(folder / "about.json"), read_facts(folder / "progress.json")
    return about | {"views": progress.get("views")}


def _dataset(run: RunFolder) -> Facts:
    return read_facts(run.path / "dataset.json")


def _title(line: RunSummary) -> str:
    return f"{line.name} ({line.created:%d %b %H:%M})"
