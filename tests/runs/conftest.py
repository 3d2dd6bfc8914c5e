"""A store in the test's workspace, tiny workers on its runs, and no worker left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core.config import RunConfig, parse_config
from core.runs.layout import RunFolder
from core.runs.process import launch
from core.runs.status import RunStatus, read_worker, status
from core.runs.store import RunStore

TINY_WORKER = Path(__file__).with_name("tiny_worker.py")
PATIENCE_S = 20.0

Start = Callable[..., RunFolder]
WaitFor = Callable[[Callable[[], object]], None]


@pytest.fixture
def config() -> RunConfig:
    return parse_config('{"name": "Brüste, klein", "data": {"source": "demo"}}')


@pytest.fixture
def store(workspace: Path) -> RunStore:
    return RunStore(workspace)


@pytest.fixture
def wait_for() -> WaitFor:
    """Wait until something holds, or fail."""

    def wait(holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    return wait


@pytest.fixture
def start(store: RunStore, config: RunConfig) -> Iterator[Start]:
    """Launch a tiny worker on a new run or a given one; what still lives at the end is killed."""
    runs = []

    def begin(
        run: RunFolder | None = None,
        kind: str = "count",
        steps: int = 10_000,
        seconds: float = 0.01,
    ) -> RunFolder:
        run = run or store.create(config)
        runs.append(run)
        launch(run, (sys.executable, str(TINY_WORKER), kind, str(steps), str(seconds)))
        return run

    yield begin
    for run in runs:
        worker = read_worker(run)
        if worker and worker.process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.process.pid, signal.SIGKILL)
            with contextlib.suppress(psutil.Error):
                psutil.Process(worker.process.pid).wait(PATIENCE_S)


@pytest.fixture
def running(start: Start, wait_for: WaitFor) -> RunFolder:
    """A run whose tiny worker has saved a few steps."""
    run = start()
    wait_for(lambda: status(run) is RunStatus.RUNNING)
    wait_for(lambda: (run.checkpoints / "step.json").exists())
    return run
