"""The state of a run, derived from its events and from whether its worker lives; never stored."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.files import read_json
from core.runs.events import Event, parse_lines
from core.runs.identity import ProcessIdentity, identity_from_json
from core.runs.layout import RunFolder

LIFECYCLE = re.compile(  # quotes inside a text are escaped, so no text can look like this
    rb'"type":"(created|queued|started|stop_requested|stopped|completed|failed)"'
)
TAIL_BYTES = 1 << 16  # ended runs say so in their last lines; only live ones are read whole


class RunStatus(StrEnum):
    """What a run is doing."""

    CREATED = "created"
    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_live(self) -> bool:
        """Whether a worker is at it."""
        return self in {RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.STOPPING}


ENDINGS = {
    "stopped": RunStatus.STOPPED,
    "completed": RunStatus.COMPLETED,
    "failed": RunStatus.FAILED,
}


@dataclass(frozen=True)
class WorkerCard:
    """What ``worker.json`` says about the newest worker of a run.

    Args:
        process: Which process it is, or was.
        attempt: Number of its attempt, from 1.
        token: What `launch` handed to it, so that `launch` knows it when it signs in; may be "".
    """

    process: ProcessIdentity
    attempt: int
    token: str

    def to_json(self) -> dict[str, Any]:
        """As plain values, in one flat object."""
        return {**self.process.to_json(), "attempt": self.attempt, "token": self.token}


def read_worker(run: RunFolder) -> WorkerCard | None:
    """The newest worker of a run; None when none has signed in yet."""
    try:
        facts = read_json(run.worker)
        process = identity_from_json(facts)
        return WorkerCard(process, int(facts["attempt"]), str(facts["token"])) if process else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_alive(run: RunFolder) -> bool:
    """Whether a worker of the run lives: same boot, same process, and no zombie."""
    worker = read_worker(run)
    return worker is not None and worker.process.is_alive()


def status(run: RunFolder, newest: Callable[[], Event | None] | None = None) -> RunStatus:
    """What the run is doing.

    Args:
        run: The run.
        newest: Finds its newest lifecycle event, for whoever follows the log anyway; None for
            `last_lifecycle`, which for a live run reads all of it.

    ==============================  ==============================  ====================
    newest lifecycle event          worker of that attempt or later  status
    ==============================  ==============================  ====================
    stopped, completed, failed      of that attempt, or none         the same
    any                             lives, event of an earlier one   queued
    none, created                   none                             created
    none, created, queued           lives                            queued, stopping (1)
    started, stop_requested         lives                            running, stopping (1)
    any of the above                dead                             interrupted
    ==============================  ==============================  ====================

    (1) *stopping* once stopping is asked for, by file or by signal.
    """
    worker = read_worker(run)
    alive = worker is not None and worker.process.is_alive()  # before the events: a worker that
    event = newest() if newest else last_lifecycle(run.events)  # ends now has written how
    kind = event["type"] if event else "created"
    told_by = int(event.get("attempt", 0)) if event else 0
    newer_worker = worker is not None and worker.attempt > told_by
    if kind in ENDINGS and not newer_worker:
        return ENDINGS[kind]
    if worker is None and kind == "created":
        return RunStatus.CREATED
    if not alive:
        return RunStatus.INTERRUPTED
    if run.stop.exists() or (kind == "stop_requested" and not newer_worker):
        return RunStatus.STOPPING
    if newer_worker or kind in {"created", "queued"}:
        return RunStatus.QUEUED
    return RunStatus.RUNNING


def last_lifecycle(events: Path) -> Event | None:
    """The newest event that changes a run's state; None when there is none."""
    try:
        with events.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            for start in (max(0, size - TAIL_BYTES), 0):
                log.seek(start)
                content = log.read()
                whole = content[: content.rfind(b"\n") + 1]
                for match in reversed(list(LIFECYCLE.finditer(whole))):
                    place = match.start()
                    line = whole[whole.rfind(b"\n", 0, place) + 1 : whole.find(b"\n", place)]
                    if found := parse_lines(line):
                        return found[0]
    except OSError:
        return None
    return None
