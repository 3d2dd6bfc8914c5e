"""What the pages show of runs and tasks, read from disk, shared by all tabs and never stored."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from core.errors import RunError
from core.projects import Project, ProjectStore
from core.runs.events import Event, EventTail
from core.runs.layout import RunFolder, is_run_id
from core.runs.status import RunStatus, status
from core.runs.store import RunStore, RunSummary, summarise
from core.tasks.store import TaskStore, read_request

FRESH_S = 0.5  # tabs that ask within this time share one look at the disk
MOST_ROWS = 20_000  # points of curves in one answer; a run has about half of that
WATCHED = 32  # event logs kept parsed
ETA_EVENTS = 40  # progress events that the time left is estimated from
T = TypeVar("T")
Row = tuple[int, int, float, float | None]  # place of the name, step, epoch, value


class Watch:
    """One event log, followed: what a monitor shows of a run or a task.

    Args:
        folder: The run or the task.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.names: list[str] = []  # of the curves
        self.rows: list[Row] = []
        self._tail = EventTail(folder.events)
        self._lock = threading.Lock()
        self._phase: dict[str, str] = {"name": "", "text": ""}
        self._progress: list[tuple[float, int, int]] = []  # elapsed_s, done, total of this phase
        self._alerts: list[dict[str, Any]] = []
        self._saved: int | None = None  # step of the newest checkpoint
        self._lifecycle: Event = {}
        self._seen: tuple[float, float] = (0.0, 0.0)  # elapsed_s of the newest event, and when read
        self._spent: dict[int, float] = {}  # attempt to its newest elapsed_s
        self._state: tuple[float, RunStatus] = (0.0, RunStatus.CREATED)

    def refresh(self) -> None:
        """Read what has been appended."""
        with self._lock:
            for event in self._tail.new():
                self._take(event)

    def newest(self) -> Event | None:
        """The newest event that changes the state, without reading the log from its beginning."""
        self.refresh()
        return self._lifecycle or None

    def forget(self) -> None:
        """Look at the status anew: its worker has just been started or stopped."""
        self._state = (-FRESH_S, self._state[1])

    @property
    def state(self) -> RunStatus:
        """The status, at most `FRESH_S` old."""
        asked, found = self._state
        if time.monotonic() - asked > FRESH_S:
            found = status(self.folder, self.newest)
            self._state = (time.monotonic(), found)
        return found

    def summary(self) -> dict[str, Any]:
        """Everything but the points of the curves."""
        state = self.state
        done, total = self._progress[-1][1:] if self._progress else (0, 0)
        return {
            "id": self.folder.id,
            "state": state.value,
            "live": state.is_live,
            "phase": self._phase,
            "done": done,
            "total": total,
            "eta_s": self._eta() if state is RunStatus.RUNNING else None,
            "seconds": round(sum(self._spent.values()), 1),
            "attempt": max(self._spent, default=0),
            "text": str(self._lifecycle.get("text", "")),
            "waits_for": str(self._lifecycle.get("waits_for", "")),
            "saved": self._saved,
            "finishing": self.folder.finish_now.exists(),
            "failure": self._failure() if state is RunStatus.FAILED else None,
            "alerts": self._alerts[-30:],
            "points": len(self.rows),
        }

    def _take(self, event: Event) -> None:
        kind = event["type"]
        elapsed = float(event.get("elapsed_s", 0.0))
        attempt = int(event.get("attempt", 0))
        self._spent[attempt] = max(elapsed, self._spent.get(attempt, 0.0))
        self._seen = (elapsed, time.monotonic())
        if kind == "metric":
            self.rows.append(self._row(event))
        elif kind == "progress":
            self._progress.append((elapsed, int(event["done"]), int(event["total"])))
            del self._progress[:-ETA_EVENTS]
        elif kind == "phase":
            self._phase = {"name": event["name"], "text": event["text"]}
            self._progress.clear()
        elif kind == "alert":
            self._alerts.append({key: event[key] for key in ("level", "code", "text")})
        elif kind == "checkpoint":
            self._saved = int(event["step"])
        elif kind in {"created", "queued", "started", "stop_requested", "stopped", "completed",
                      "failed"}:  # fmt: skip
            self._lifecycle = event
            if kind == "started":
                self._progress.clear()

    def _row(self, event: Event) -> Row:
        """A point as it is sent: five digits are more than a screen shows."""
        name = event["name"]
        if name not in self.names:
            self.names.append(name)
        value = event["value"]
        digits = None if value is None else float(f"{value:.5g}")
        return self.names.index(name), event["step"], round(event["epoch"], 3), digits

    def _eta(self) -> float | None:
        """Seconds that the phase will still take, from its latest pace."""
        if len(self._progress) < 2:
            return None
        (start, before, _), (end, done, total) = self._progress[0], self._progress[-1]
        if done <= before or total <= done:
            return None
        pace = (end - start) / (done - before)
        since = time.monotonic() - self._seen[1]
        return max(0.0, pace * (total - done) - since)

    def _failure(self) -> dict[str, str]:
        names = ("code", "what", "item", "todo")
        return {name: str(self._lifecycle.get(name, "")) for name in names}


@dataclass(frozen=True)
class _Known:
    """A run's line, valid as long as its files are those of `signature`."""

    signature: tuple[int, ...]
    line: RunSummary


class Observer:
    """The workspace as the pages see it.

    Args:
        workspace: The workspace.
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.projects = ProjectStore(workspace)
        self.runs = RunStore(workspace)
        self.tasks = TaskStore(workspace)
        self._watches: OrderedDict[Path, Watch] = OrderedDict()
        self._lines: dict[str, _Known] = {}
        self._kept: dict[str, tuple[float, Any]] = {}
        self._lock = threading.RLock()

    def watch(self, folder: RunFolder) -> Watch:
        """The shared watch of a run or task, read up to now."""
        with self._lock:
            found = self._watches.setdefault(folder.path, Watch(folder))
            self._watches.move_to_end(folder.path)
            while len(self._watches) > WATCHED:
                self._watches.popitem(last=False)
        found.refresh()
        return found

    def list_runs(self) -> list[RunSummary]:
        """Every run, the newest first; a line is made anew only when its files have changed."""
        return self._shared("runs", self._read_lines)

    def live_jobs(self) -> list[dict[str, Any]]:
        """Runs and tasks at which a process is, for the chip."""
        return self._shared("jobs", self._read_jobs)

    def project(self) -> Project | None:
        """The current project."""
        return self._shared("project", self.projects.current)

    def forget(self) -> None:
        """Look at the disk anew: something has just been changed."""
        with self._lock:
            self._kept.clear()
            for watch in self._watches.values():
                watch.forget()

    def run(self, name: str) -> RunFolder:
        """The run with that id, and nothing else that `RunStore.open` would understand.

        Raises:
            RunError: R01, there is none (any more).
        """
        if not is_run_id(name) or not (self.runs.folder / name).is_dir():
            raise RunError(
                "R01",
                "There is no such run (any more)",
                item=name[:80],
                todo="It may have been deleted elsewhere; choose another from the list.",
            )
        return RunFolder(self.runs.folder / name)

    def runs_version(self) -> int:
        """A number that changes whenever the list of runs, or a report, does."""
        return self._shared("version", self._read_version)

    def curve_rows(self, run: str, since: int) -> dict[str, Any]:
        """The points of a run from number `since` on, at most `MOST_ROWS`.

        A `since` beyond the end is of another log: everything is sent.
        """
        watch = self.watch(self.run(run))
        points = len(watch.rows)
        since = since if 0 <= since <= points else 0
        facts = watch.summary()
        return facts | {
            "alerts": len(facts["alerts"]),
            "names": watch.names,
            "since": since,
            "rows": watch.rows[since : min(points, since + MOST_ROWS)],
        }

    def _shared(self, name: str, look: Callable[[], T]) -> T:
        with self._lock:
            asked, found = self._kept.get(name, (-FRESH_S, None))
            if time.monotonic() - asked > FRESH_S:
                found = look()
                self._kept[name] = (time.monotonic(), found)
            kept: T = found
            return kept

    def _read_version(self) -> int:
        found = [
            (line.id, line.status, _stamp(self.runs.folder / line.id / "report"))
            for line in self.list_runs()
        ]
        return hash(tuple(found)) & 0xFFFFFFFF

    def _read_lines(self) -> list[RunSummary]:
        lines = []
        names = [path.name for path in self.runs.folder.iterdir() if is_run_id(path.name)]
        for name in sorted(names, reverse=True):
            folder = RunFolder(self.runs.folder / name)
            signature = _signature(folder)
            known = self._lines.get(name)
            if known is None or known.signature != signature or known.line.status.is_live:
                follow = self.watch(folder).newest if known and known.line.status.is_live else None
                known = _Known(signature, summarise(folder, follow))
                self._lines[name] = known
            lines.append(known.line)
        for gone in self._lines.keys() - set(names):
            del self._lines[gone]
        return lines

    def _read_jobs(self) -> list[dict[str, Any]]:
        jobs = []
        for line in self.list_runs():
            if line.status.is_live:
                facts = self.watch(RunFolder(self.runs.folder / line.id)).summary()
                jobs.append(_job(facts, "run", line.name))
        for folder in self.tasks.recent():
            watch = self.watch(folder)
            if watch.state.is_live:
                asked = read_request(folder)
                jobs.append(_job(watch.summary(), "task", asked["kind"]))
        return jobs


def _job(facts: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    wanted = ("id", "state", "phase", "done", "total", "eta_s")
    return {"kind": kind, "name": name} | {key: facts[key] for key in wanted}


def _signature(folder: RunFolder) -> tuple[int, ...]:
    """Changes whenever the run's events, its worker, its request or its stop file change."""
    found: list[int] = []
    for file in (folder.events, folder.worker, folder.config, folder.stop):
        try:
            facts = os.stat(file)  # noqa: PTH116  a thousand of these a second
            found += [facts.st_mtime_ns, facts.st_size]
        except OSError:
            found += [0, 0]
    return tuple(found)


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def project_version(project: Project) -> int:
    """A number that changes whenever the project's files do."""
    stamps = []
    for name in ("config.json", "project.json", "split.json", "dataset.json"):
        try:
            stamps.append((project.folder / name).stat().st_mtime_ns)
        except OSError:
            stamps.append(0)
    return hash(tuple(stamps)) & 0xFFFFFFFF
