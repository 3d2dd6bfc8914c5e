"""Starting, stopping and resuming the worker of a run, from the outside.

The worker is a process of its own: a closed page, a restarted server or a closed terminal changes
nothing. The two sides share nothing but files.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import RunError, SystemError_
from core.files import write_text
from core.runs.layout import RunFolder
from core.runs.lock import is_free
from core.runs.status import RunStatus, is_alive, read_worker, status

ROOT = Path(__file__).resolve().parent.parent.parent
WORKER = (sys.executable, "-m", "core.worker")
TOKEN = "BEDSIDE_LAUNCH"  # what the worker signs in with, since its pid may differ from its
# launcher's child: on Windows the python of a virtual environment starts the real one
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
SIGN_IN_S = 60.0  # a cold disk may need that long to start Python
GONE_S = 30.0  # between a worker's last event and the end of its process, on a busy machine
POLL_S = 0.02


def launch(run: RunFolder, program: Sequence[str] = WORKER) -> None:
    """Start the worker of `run`, detached, and return as soon as it has signed in.

    Args:
        run: A run that was created, or prepared to be resumed.
        program: The command that works on the run whose path is its last argument.

    Raises:
        RunError: The run has a worker already, or the worker ended before it signed in; what it
            printed stands in the run's ``console.log``.
        SystemError_: No process could be started.
    """
    require_idle(run)
    token = secrets.token_hex(8)
    environment = {key: value for key, value in os.environ.items() if key not in THREADS}
    search = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    environment |= {
        TOKEN: token,
        "PYTHONPATH": os.pathsep.join(search),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
    }
    try:
        with run.console.open("ab") as console:
            child = subprocess.Popen(
                [*program, str(run.path)],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment,
                **_detached(),
            )
    except OSError as error:
        raise SystemError_(
            "E05",
            f"The worker process could not be started ({error.strerror or 'unknown reason'})",
            item=run.id,
            todo="Close other programs or restart the computer, then try again.",
        ) from error
    # Somebody has to take note of its end, or it stays a zombie as long as this process lives.
    threading.Thread(target=child.wait, daemon=True, name=f"reaper of {run.id}").start()
    _wait_for_sign_in(run, child, token)


def request_stop(run: RunFolder) -> None:
    """Ask the worker to finish its step, save and stop.

    Raises:
        RunError: No worker is at the run.
    """
    _require_live(run)
    write_text(run.stop, "")


def request_finish(run: RunFolder) -> None:
    """Ask the worker to end training now, evaluate the best checkpoint and export.

    Raises:
        RunError: No worker is at the run.
    """
    _require_live(run)
    write_text(run.finish_now, "")


def prepare_resume(run: RunFolder) -> None:
    """Make `run` ready for `launch` to continue it as a new attempt.

    What the last attempt left lying is cleared away: control files and half-written files.

    Raises:
        RunError: A worker is at it, or it is complete.
    """
    require_idle(run)
    if status(run) is RunStatus.COMPLETED:
        raise RunError(
            "R06", "The run is complete", item=run.id, todo="Start a new run to train again."
        )
    half_written = [*run.path.glob(".*.tmp"), *run.checkpoints.glob(".*.tmp")]
    for leftover in (run.stop, run.finish_now, *half_written):
        leftover.unlink(missing_ok=True)


def require_idle(run: RunFolder) -> None:
    """Refuse to touch a run at which a worker is; one that has just ended is waited for.

    Raises:
        RunError: A worker is at it.
    """
    deadline = time.monotonic() + GONE_S
    while is_alive(run) or not is_free(run.worker_lock):
        if status(run).is_live or time.monotonic() > deadline:
            raise _busy(run)
        time.sleep(POLL_S)


def _busy(run: RunFolder) -> RunError:
    return RunError(
        "R05",
        "The run is being worked on",
        item=run.id,
        todo="Wait until it ends, or stop it first.",
    )


def _require_live(run: RunFolder) -> None:
    if not status(run).is_live:
        raise RunError("R07", "The run is not running, so there is nothing to stop", item=run.id)


def _wait_for_sign_in(run: RunFolder, child: subprocess.Popen[bytes], token: str) -> None:
    deadline = time.monotonic() + SIGN_IN_S
    while time.monotonic() < deadline:
        ended = child.poll() is not None  # before the look: it may sign in, work and end in between
        worker = read_worker(run)
        if worker and worker.token == token:
            return
        if ended:
            raise RunError(
                "R08",
                f"The worker ended before it began (exit code {child.returncode})",
                item=run.id,
                todo="Look at the end of the run's console.log, then resume the run.",
            )
        time.sleep(POLL_S)


def _detached() -> dict[str, Any]:
    if sys.platform == "win32":
        # A hidden console rather than none: without one, every process that the worker starts
        # would open a window of its own.
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        return {"creationflags": flags}
    return {"start_new_session": True}
