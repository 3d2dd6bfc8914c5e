"""Single training steps of several kinds, taken in turns and timed."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch.nn import functional as F

from core.training.device import Chosen
from core.training.handlers import decay_groups
from core.training.loop import Trainer
from core.types import Reporter

WARM_UP = 2
REPEATS = 15
Seconds = dict[str, list[float]]


def bare_step(trainer: Trainer, chosen: Chosen) -> Callable[[int], object]:
    """A step as one would write it by hand: batches in memory, no views, no losses but one.

    Model, optimiser, precision, memory format and batches are those of `trainer`, a training of the
    student alone.
    """
    model = copy.deepcopy(trainer.model.student).train()
    optimiser = torch.optim.AdamW(decay_groups(model, 0.05), lr=1e-3, fused=True)
    device, weights = trainer.fabric.device, trainer.job.class_weights
    kept = [
        trainer.job.batches.batch(step).to(device)
        for step in range(trainer.job.batches.steps_per_epoch)
    ]

    def step(number: int) -> None:
        batch = kept[number % len(kept)]
        with torch.autocast(device.type, torch.bfloat16, enabled=chosen.precision == "bfloat16"):
            logits = model(batch.images)
        loss = F.cross_entropy(logits.float(), batch.targets, weight=weights)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def time_in_turns(
    kinds: Mapping[str, Callable[[int], object]], repeats: int, reporter: Reporter
) -> Seconds:
    """Seconds of each kind of work; all kinds take turns, so that a busy machine slows all alike.

    Args:
        kinds: Name to work, which is told how often it was done before.
        repeats: Timed turns; `WARM_UP` more come first and do not count.
        reporter: Told of progress.
    """
    seconds: Seconds = {name: [] for name in kinds}
    for repeat in range(WARM_UP + repeats):
        for name, work in kinds.items():
            spent = timed(partial(work, repeat))
            if repeat >= WARM_UP:
                seconds[name].append(spent)
        reporter.progress(repeat + 1, WARM_UP + repeats)
    return seconds


def timed(work: Callable[[], object]) -> float:
    """Seconds until `work` is done, on a graphics card too."""
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def ratio(seconds: Seconds, above: str, below: str) -> float:
    """Median, over the turns, of one kind's time divided by the other's in the same turn."""
    return statistics.median(a / b for a, b in zip(seconds[above], seconds[below], strict=True))
