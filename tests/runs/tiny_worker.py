"""A worker without torch: counts steps, saves after each, obeys. Run as a program by the tests.

Arguments: what to do, the number of steps, seconds per step, the run directory.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from core.errors import DataError
from core.files import read_json, write_json
from core.runs.events import EventWriter
from core.runs.layout import RunFolder
from core.runs.work import run_worker
from core.types import Stopped


def main(kind: str, steps: str, seconds: str, path: str) -> int:
    run = RunFolder(Path(path))
    if kind == "die-at-once":
        print("no such module")
        os._exit(3)

    def work(reporter: EventWriter) -> None:
        if kind == "known-error":
            raise DataError("I01", "The folder is gone", item="images", todo="Bring it back.")
        if kind == "unknown-error":
            (run.path / "Muster^Max" / "scan.dcm").read_bytes()
        if kind == "value-error":
            raise ValueError("shape 32x5 does not fit for 'Muster^Max' in /data/Muster/1.dcm")
        saved = run.checkpoints / "step.json"
        first = read_json(saved) + 1 if saved.exists() else 0
        reporter.phase("train", "Counting")
        for step in range(first, int(steps)):
            time.sleep(float(seconds))
            reporter.metric("loss", 1 / (step + 1), step=step, epoch=step / 10)
            reporter.progress(step + 1, int(steps))
            write_json(saved, step)
            if reporter.stop_requested():
                raise Stopped
            if reporter.finish_requested():
                break
        reporter.phase("evaluate", "Evaluating")

    return run_worker(run, work, lambda: "cpu")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
