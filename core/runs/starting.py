"""Starting runs so that a start that is asked for twice starts one run. Needs no torch.

Two presses, two tabs or two servers: whoever comes second finds the first one's run at work and is
led to it. The lock is a file in the workspace, so it holds between processes as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from core.config import RunConfig, load_config
from core.errors import RunError
from core.runs.companion import STUDENT_ONLY, companion_request, find_companion
from core.runs.extend import (
    Origin,
    Plans,
    create_extension,
    passes_done,
    plan_extension,
    plans,
    read_origin,
)
from core.runs.layout import RunFolder
from core.runs.lock import FileLock
from core.runs.process import WORKER, launch, prepare_resume
from core.runs.status import RunStatus
from core.runs.store import RunStore

WAIT_S = 90.0  # a cold disk may need a minute to start Python
RESUMABLE = {RunStatus.STOPPED, RunStatus.INTERRUPTED, RunStatus.CREATED}


@dataclass(frozen=True)
class Started:
    """What came of asking for a run.

    Attributes:
        run: The run.
        new: Whether it was set to work now; otherwise it was at work, or complete.
    """

    run: RunFolder
    new: bool


def start_run(store: RunStore, config: RunConfig, program: Sequence[str] = WORKER) -> Started:
    """Create a run and launch its worker, unless an equal one is at work or waits.

    Args:
        store: The workspace's runs.
        config: The request; two that differ in the name alone are equal.
        program: The command that works on the run.

    Raises:
        RunError: R60, somebody else is starting a run and does not get done; or see `launch`.
        SystemError_: The workspace cannot be written, or no process started.
    """
    return _start(store, config, (), lambda: store.create(config), program)


def resume_run(store: RunStore, run: RunFolder, program: Sequence[str] = WORKER) -> Started:
    """Go on with a run that was stopped, interrupted or failed, as a new attempt.

    Raises:
        RunError: A worker is at it (R05), it is complete (R06); or see `launch`.
    """
    with _turn(store):
        prepare_resume(run)
        launch(run, program)
        return Started(run, new=True)


def extend_run(
    store: RunStore, run: RunFolder, passes: int, program: Sequence[str] = WORKER
) -> Started:
    """Extend a completed run by `passes` passes, unless that is under way.

    Raises:
        RunError, ConfigError: See `core.runs.extend.plan_extension`.
    """
    plan = plan_extension(run, passes)
    return _start(
        store, plan.config, plan.origin.plans, lambda: create_extension(store, plan), program
    )


def start_companion(
    store: RunStore,
    run: RunFolder,
    program: Sequence[str] = WORKER,
    *,
    method: str = STUDENT_ONLY,
) -> Started:
    """Start the run of another method beside `run`, or go on with one that was begun.

    Args:
        store: The workspace's runs.
        run: A run in whatever state.
        program: The command that works on the new run.
        method: The other method; all else, and so the effort, is that of `run`.

    Returns:
        A companion that is complete is returned, as not new.

    Raises:
        RunError: R63, `run` is of that method itself; R64, it extends a run that has no
            companion that could be extended likewise.
    """
    config = load_config(run.config)
    if config.method.name == method:
        raise RunError(
            "R63",
            "This run was trained by that very method",
            item=run.id,
            todo="Choose another method to compare it with.",
        )
    done = find_companion(run, method)
    if done is not None:
        return Started(done, new=False)
    origin = read_origin(run)
    if origin is not None:
        return _extend_companion(store, run, origin, method, program)
    request = companion_request(config, method)
    return _start(
        store, request, (), lambda: _begun(store, request) or store.create(request), program
    )


def _extend_companion(
    store: RunStore, run: RunFolder, origin: Origin, method: str, program: Sequence[str]
) -> Started:
    """Extend the run of `method` beside the run that `run` extends, at the same step."""
    total = load_config(run.config).train.epochs
    with contextlib.suppress(RunError):
        other = find_companion(store.open(origin.run), method)
        if other is not None and passes_done(other)[0] == origin.step:
            return extend_run(store, other, total - origin.passes, program)
    raise RunError(
        "R64",
        "This run goes on from another one, which has no run of that method to go on from likewise",
        item=run.id,
        todo=f"Compare run {origin.run} first; when that is complete, press this again.",
    )


def _begun(store: RunStore, request: RunConfig) -> RunFolder | None:
    """The newest run of that request that was stopped or interrupted, made ready to go on."""
    for line in store.list():
        if line.status in RESUMABLE and line.method == request.method.name:
            run = store.open(line.id)
            if load_config(run.config).sha256 == request.sha256 and not plans(run):
                prepare_resume(run)
                return run
    return None


def _start(
    store: RunStore,
    config: RunConfig,
    stretches: Plans,
    make: Callable[[], RunFolder],
    program: Sequence[str],
) -> Started:
    """Launch what `make` returns, unless a run of an equal request is at work or waits."""
    with _turn(store):
        equal = _at_work(store, config, stretches)
        if equal is not None:
            return Started(equal, new=False)
        run = make()
        launch(run, program)
        return Started(run, new=True)


def _at_work(store: RunStore, config: RunConfig, stretches: Plans) -> RunFolder | None:
    for line in store.list():
        if not line.status.is_live or line.problem:
            continue
        run = store.open(line.id)
        if load_config(run.config).sha256 == config.sha256 and plans(run) == stretches:
            return run
    return None


@contextlib.contextmanager
def _turn(store: RunStore) -> Iterator[None]:
    with FileLock(store.folder.parent / "start.lock").held(WAIT_S) as taken:
        if not taken:
            raise RunError(
                "R60",
                "Another run is just being started, and that does not get done",
                todo="Wait a minute and press again; if it stays, restart Bedside.",
            )
        yield
