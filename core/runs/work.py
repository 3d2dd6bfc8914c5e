"""The outermost frame of a worker: it owns the run while the work is done and tells how it ended.

This is one of the two places with a broad ``except``: whatever goes wrong in hours of work must
end up in the run directory, in plain words, because nobody is listening.
"""

from __future__ import annotations

import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.config import load_config
from core.errors import BedsideError
from core.files import write_json
from core.runs.environment import describe_environment, record_environment
from core.runs.events import EventWriter
from core.runs.identity import this_process
from core.runs.layout import RunFolder
from core.runs.lock import FileLock
from core.runs.process import TOKEN
from core.runs.queue import DeviceQueue, Waiting
from core.runs.status import WorkerCard, last_lifecycle, read_worker
from core.signals import stop_on_signal
from core.types import Stopped

ENDED, FAILED, REFUSED = 0, 1, 2  # exit codes of a worker
QUOTED = re.compile(r"""'[^']*'|"[^"]*"|\S*[/\\]\S*""")
MESSAGE_LENGTH = 300

Work = Callable[[EventWriter], None]


def run_worker(run: RunFolder, work: Work, device: Callable[[], str] | None) -> int:
    """Do `work` as the only worker of `run`, and record how it ended.

    Args:
        run: A run that exists.
        work: The work; raises `core.types.Stopped` when it stopped because it was asked to and all
            is saved. What it should import late (torch) it imports itself, so that the worker
            signs in at once.
        device: Tells the device that the work needs for itself, such as ``"cpu"`` or ``"cuda:0"``;
            one run at a time uses a device. None for a task, which waits for nobody.

    Returns:
        The exit code: `ENDED` (completed or stopped), `FAILED`, or `REFUSED` when another worker
        is at the run; then nothing of the run was touched.
    """
    lock = FileLock(run.worker_lock)
    try:
        if not lock.acquire():
            print("Another worker is at this run.", file=sys.stderr)
            return REFUSED
        card = _sign_in(run)
        with EventWriter(run, card.attempt) as writer, stop_on_signal(writer.ask_to_stop):
            if device is None:
                return _record_end(writer, lambda: _begin(writer, work))
            return _record_end(writer, lambda: _take_turn(run, card.attempt, writer, work, device))
    except BedsideError as error:  # the run directory itself cannot be written
        print(error.sentence, file=sys.stderr)
        return FAILED
    finally:
        lock.release()


def _sign_in(run: RunFolder) -> WorkerCard:
    before = read_worker(run)
    event = last_lifecycle(run.events)
    attempts = [before.attempt if before else 0, int(event.get("attempt", 0)) if event else 0]
    # Not handed on: a worker that this one starts by mistake must not pass for it.
    card = WorkerCard(this_process(), 1 + max(attempts), os.environ.pop(TOKEN, ""))
    write_json(run.worker, card.to_json())
    return card


def _begin(writer: EventWriter, work: Work) -> None:
    writer.lifecycle("started")
    work(writer)


def _take_turn(
    run: RunFolder, attempt: int, writer: EventWriter, work: Work, device: Callable[[], str]
) -> None:
    def tell(waiting: Waiting) -> None:
        writer.lifecycle(
            "queued", waits_for=waiting.run, ahead=waiting.ahead, text=waiting.sentence
        )

    name = device()
    workspace = run.path.parent.parent
    facts: dict[str, Any] = {"device": name, "seed": load_config(run.config).train.seed}
    record_environment(run, attempt, describe_environment() | facts)
    with DeviceQueue(workspace, name).turn(run.id, tell, writer.stop_requested):
        writer.lifecycle("started", device=name)
        work(writer)


def _record_end(writer: EventWriter, attempt: Callable[[], None]) -> int:
    start = time.monotonic()
    try:
        attempt()
    except Stopped:
        writer.lifecycle("stopped", seconds=_since(start))
        return ENDED
    except BedsideError as error:
        print(error.sentence, file=sys.stderr)
        facts = {"code": error.code, "what": error.what, "item": error.item, "todo": error.todo}
        writer.lifecycle("failed", **facts, text=error.sentence, seconds=_since(start))
        return FAILED
    except Exception as error:
        print(describe_trace(error), file=sys.stderr)
        what = f"Something unforeseen went wrong: {describe_error(error)}"
        todo = "Resume the run; if it happens again, send us the run's console.log."
        facts = {"code": "R99", "what": what, "item": "", "todo": todo}
        text = BedsideError("R99", what, todo=todo).sentence
        writer.lifecycle("failed", **facts, text=text, seconds=_since(start))
        return FAILED
    writer.lifecycle("completed", seconds=_since(start))
    return ENDED


def _since(start: float) -> float:
    return round(time.monotonic() - start, 3)


def describe_error(error: BaseException) -> str:
    """Kind and message of an error without quoted values and paths, which may name a patient."""
    message = error.strerror if isinstance(error, OSError) else str(error)
    safe = QUOTED.sub("…", message or "")[:MESSAGE_LENGTH]
    return f"{type(error).__name__}: {safe}" if safe else type(error).__name__


def describe_trace(error: BaseException) -> str:
    """Where in the code an error and its causes arose, again without values and user paths."""
    lines = []
    cause: BaseException | None = error
    while cause is not None:
        lines.append(describe_error(cause))
        for frame in traceback.extract_tb(cause.__traceback__):
            lines.append(f"  {Path(frame.filename).name}:{frame.lineno} {frame.name}: {frame.line}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n".join(lines)
