"""The event log of a run: append-only JSON lines with one writer and any number of readers.

A reader never blocks the writer and may start anywhere; a line that a power cut has torn is
ignored by readers and cut off by the next writer. Every line is
``{"v", "seq", "ts", "elapsed_s", "attempt", "type", ...}``: ``ts`` is the UTC wall clock, for
display only; ``elapsed_s`` counts from the start of the attempt and never runs backwards.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from core.errors import SystemError_
from core.runs.layout import RunFolder
from core.runs.thinning import ALERTS_PER_CODE, ProgressThinner, ScalarThinner
from core.types import AlertLevel

VERSION = 1
SYNC_S = 30.0  # at most half a minute of curves is lost in a power cut

Event = dict[str, Any]
LifecycleType = Literal[
    "created", "queued", "started", "stop_requested", "stopped", "completed", "failed"
]


class EventWriter:
    """The one writer of a run's events, and the `core.types.Reporter` that long work is handed.

    Safe to call from several threads. A full disk costs scalars and progress, which are counted
    and reported once there is room again; it never ends the work.

    Args:
        run: The run; its folder exists. The caller holds the run's worker lock.
        attempt: Number of this attempt, from 1; 0 for the creation of the run.

    Raises:
        SystemError_: The log cannot be opened.
    """

    def __init__(self, run: RunFolder, attempt: int) -> None:
        self._run = run
        self._attempt = attempt
        self._guard = threading.Lock()
        self._start = self._synced = time.monotonic()
        self._stop_signal = self._stop_told = self._finish_told = False
        self._alerts: Counter[str] = Counter()
        self._lost = 0
        self._descriptor = _open_for_appending(run.events)
        earlier = read_events(run.events)
        self._seq = 1 + max((event["seq"] for event in earlier), default=-1)
        self._scalars = ScalarThinner(sum(event["type"] == "metric" for event in earlier))
        self._bar = ProgressThinner(self._start)
        self._end = os.fstat(self._descriptor).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write the end points of the curves and close the log; closing twice is allowed."""
        with self._guard:
            if self._descriptor < 0:
                return
            self._end_curves()
            os.close(self._descriptor)
            self._descriptor = -1

    def lifecycle(self, kind: LifecycleType, **facts: Any) -> None:
        """Record a change of the run's state and put it on disk.

        Raises:
            SystemError_: It could not be written; a request to stop is obeyed nevertheless.
        """
        with self._guard:
            self._end_curves()
            error = self._append({"type": kind, **facts})
            self._sync()
        if error and kind != "stop_requested":
            raise SystemError_(
                "E01",
                f"The run's log could not be written ({error.strerror})",
                item=self._run.events.name,
                todo="Free some disk space, then resume the run.",
            ) from error

    def phase(self, name: str, text: str) -> None:
        """Enter a phase, such as ``("import", "Reading 780 images")``."""
        with self._guard:
            self._end_curves()
            self._bar.enter_phase(time.monotonic())
            self._write({"type": "phase", "name": name, "text": text})

    def progress(self, done: int, total: int) -> None:
        """Say that `done` of `total` units of the current phase are finished; thinned."""
        with self._guard:
            if self._bar.keep(done, total, time.monotonic()):
                self._write({"type": "progress", "done": done, "total": total})

    def metric(self, name: str, value: float, *, step: int, epoch: float) -> None:
        """Record one scalar, thinned; a value that is not finite is recorded as missing."""
        number = float(value)
        point = {
            "type": "metric",
            "name": name,
            "value": number if math.isfinite(number) else None,
            "step": int(step),
            "epoch": float(epoch),
        }
        with self._guard:
            if self._scalars.keep(point):
                self._write(point)

    def alert(self, level: AlertLevel, code: str, text: str) -> None:
        """Tell the user something; after `ALERTS_PER_CODE` of one code no more are written."""
        with self._guard:
            self._alerts[code] += 1
            if self._alerts[code] > ALERTS_PER_CODE:
                return
            if self._alerts[code] == ALERTS_PER_CODE:
                text += " (Further notices of this kind are not written.)"
            self._write({"type": "alert", "level": level, "code": code, "text": text})

    def checkpoint(self, step: int, which: str) -> None:
        """Say that a checkpoint (``"last"`` or ``"best"``) is safely on disk."""
        with self._guard:
            self._write({"type": "checkpoint", "step": step, "which": which})
            self._sync()

    def ask_to_stop(self) -> None:
        """Note a signal to stop. Only sets a flag, so a signal handler may call it."""
        self._stop_signal = True

    def stop_requested(self) -> bool:
        """Whether the stop file is there or a signal came; the first time, it is recorded."""
        by = "signal" if self._stop_signal else "file" if self._run.stop.exists() else ""
        if by and not self._stop_told:
            self._stop_told = True
            self.lifecycle("stop_requested", by=by)
        return bool(by)

    def finish_requested(self) -> bool:
        """Whether the user asked to end training now and evaluate the best checkpoint."""
        asked = self._run.finish_now.exists()
        if asked and not self._finish_told:
            self._finish_told = True
            self.alert("info", "R20", "Training ends early because 'Finish now' was asked for.")
        return asked

    def _end_curves(self) -> None:
        for point in self._scalars.skipped():
            self._write(point)

    def _write(self, facts: Event) -> None:
        """Append an event that may be lost when the disk is full; how many were is told later."""
        if self._lost:
            text = f"The disk was full: {self._lost} events were not recorded."
            if not self._append({"type": "alert", "level": "warning", "code": "R21", "text": text}):
                self._lost = 0
        if self._append(facts):
            self._lost += 1
        elif time.monotonic() - self._synced > SYNC_S:
            self._sync()

    def _append(self, facts: Event) -> OSError | None:
        """Append one line in one system call; what a full disk has torn is cut off at once."""
        line = _to_line(facts, self._seq, time.monotonic() - self._start, self._attempt)
        try:
            if os.write(self._descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            os.ftruncate(self._descriptor, self._end)
            return error
        self._seq += 1
        self._end += len(line)
        return None

    def _sync(self) -> None:
        self._synced = time.monotonic()
        with contextlib.suppress(OSError):  # a full disk shows itself at the next line
            os.fsync(self._descriptor)


class EventTail:
    """Reads what has been appended since the last time.

    Args:
        path: The event log; it need not exist yet.
        offset: Bytes already read, from an earlier `EventTail.offset`.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self.offset = offset

    def new(self) -> list[Event]:
        """Events of all lines completed since the last call; a line being written waits."""
        try:
            with self._path.open("rb") as log:
                log.seek(self.offset)
                fresh = log.read()
        except FileNotFoundError:
            return []
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self.offset += len(whole)
        return parse_lines(whole)


@dataclass(frozen=True)
class CurvePoint:
    """One point of a curve; `value` is None where the true value was not finite."""

    step: int
    epoch: float
    value: float | None


def read_events(path: Path) -> list[Event]:
    """All events of a log in order; lines that are torn or no events are passed over."""
    return EventTail(path).new()


def parse_lines(content: bytes) -> list[Event]:
    """Parse event lines, passing over what is not one."""
    events = []
    for line in content.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("type"), str) and "seq" in event:
            events.append(event)
    return events


def curve(events: list[Event], name: str) -> list[CurvePoint]:
    """Points of the scalar `name` in order of step.

    A run that is resumed, or returns to a checkpoint, at step s is back at s: what it recorded from
    there on did not enter the final weights and is left out.
    """
    points: list[CurvePoint] = []
    for event in events:
        if event["type"] != "metric" or event["name"] != name:
            continue
        while points and points[-1].step >= event["step"]:
            points.pop()
        points.append(CurvePoint(event["step"], event["epoch"], event["value"]))
    return points


def _to_line(facts: Event, seq: int, elapsed_s: float, attempt: int) -> bytes:
    event = {
        "v": VERSION,
        "seq": seq,
        "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "elapsed_s": round(elapsed_s, 3),
        "attempt": attempt,
        **facts,
    }
    line = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return line.encode("utf-8", "backslashreplace") + b"\n"


def _open_for_appending(path: Path) -> int:
    """Open a log for its one writer, whole up to the last line end.

    What stands after it is a torn line, or zeros after a power cut, and is cut off.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags, 0o600)
        content = path.read_bytes()
        os.ftruncate(descriptor, content.rfind(b"\n") + 1)
    except OSError as error:
        raise SystemError_(
            "E01",
            f"The run's log could not be opened ({error.strerror or 'unknown reason'})",
            item=path.name,
            todo="Check that the workspace can be written.",
        ) from error
    return descriptor
