"""A worker that trains nothing and writes its log as a real one does: ``... talker.py RUN``.

Ten thousand steps with every loss term at once, then `PACE` more a second until it is stopped.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

from core.runs.events import EventWriter
from core.runs.layout import RunFolder
from core.runs.work import run_worker
from core.types import Stopped

STEPS = 10_000
PER_EPOCH = 100
PACE = 20.0
LOSSES = ("loss", "loss/task", "loss/hybrid", "loss/agreement", "loss/cka")
FIGURES = ("validation/auroc", "validation/loss", "cka/teacher", "cka/reprogrammed")


def main(path: str) -> int:
    """Write until asked to stop; returns the exit code."""

    def work(writer: EventWriter) -> None:
        writer.phase("train", "Training")
        step = 0
        while not writer.stop_requested():
            write_step(writer, step)
            step += 1
            if step > STEPS:
                time.sleep(1 / PACE)
        raise Stopped

    return run_worker(RunFolder(Path(path)), work, lambda: "cpu")


def write_step(writer: EventWriter, step: int) -> None:
    """What one step of an RD run leaves in the log."""
    epoch = step / PER_EPOCH
    for place, name in enumerate(LOSSES):
        value = 1 / (1 + epoch) + 0.1 * math.sin(step * (place + 1))
        writer.metric(name, value, step=step, epoch=epoch)
    writer.progress(step + 1, 10 * STEPS)
    if step % PER_EPOCH == PER_EPOCH - 1:
        for name in FIGURES:
            writer.metric(name, 1 - 1 / (2 + epoch), step=step, epoch=epoch)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
