"""Device, precision and threads: the only place that knows them.

What is chosen by measurement is chosen once and recorded in the run, so that a resumed run computes
exactly what it would have computed without the interruption.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from lightning_fabric import Fabric

from core.config import DeviceSettings
from core.errors import SystemError_
from core.files import read_json, write_json
from core.machine import choose_threads

TRIALS = 3


@dataclass(frozen=True)
class Chosen:
    """Where and how the networks are computed.

    Attributes:
        accelerator: "cpu", "cuda" or "mps".
        precision: Arithmetic of the networks; losses are always float32.
        threads: Processor threads.
    """

    accelerator: str
    precision: Literal["float32", "bfloat16"]
    threads: int


def choose_accelerator(settings: DeviceSettings) -> str:
    """The accelerator asked for, or the best there is.

    Raises:
        SystemError_: The one asked for is not there.
    """
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if settings.accelerator == "auto":
        return next(name for name, there in present.items() if there)
    if not present[settings.accelerator]:
        raise SystemError_(
            "E10",
            f"This machine has no {settings.accelerator} device that torch can use",
            todo="Choose 'auto' or 'cpu'.",
        )
    return settings.accelerator


def choose(
    settings: DeviceSettings, record: Path, step: Callable[[Fabric], None]
) -> tuple[Chosen, Fabric]:
    """Choose device and precision, or read what an earlier attempt chose.

    Args:
        settings: What was asked for.
        record: File in the run directory that keeps the choice.
        step: Runs one training step on a throw-away copy of the model with the given fabric.

    Returns:
        The choice, and a fabric made for it.
    """
    if record.exists():
        chosen = Chosen(**read_json(record)["chosen"])
        torch.set_num_threads(chosen.threads)
        return chosen, make_fabric(chosen)
    accelerator, threads = choose_accelerator(settings), choose_threads(settings.threads)
    torch.set_num_threads(threads)
    seconds: dict[str, float] = {}
    if settings.precision == "auto":
        for precision in ("float32", "bfloat16"):
            fabric = make_fabric(Chosen(accelerator, precision, threads))
            seconds[precision] = _time(step, fabric)
        # float32 unless bfloat16 clearly pays: on processors without it, it is slower
        faster = seconds["bfloat16"] < 0.9 * seconds["float32"]
        chosen = Chosen(accelerator, "bfloat16" if faster else "float32", threads)
    else:
        chosen = Chosen(accelerator, settings.precision, threads)
    write_json(record, {"chosen": asdict(chosen), "seconds_per_step": seconds})
    return chosen, make_fabric(chosen)


def make_fabric(chosen: Chosen) -> Fabric:
    """A single-device fabric."""
    with warnings.catch_warnings():
        # lightning-fabric notes on cluster environments and unused devices are not for our users
        warnings.simplefilter("ignore")
        return Fabric(
            accelerator=chosen.accelerator,
            devices=1,
            precision="bf16-mixed" if chosen.precision == "bfloat16" else "32-true",
        )


def _time(step: Callable[[Fabric], None], fabric: Fabric) -> float:
    step(fabric)
    spent = []
    for _ in range(TRIALS):
        started = time.perf_counter()
        step(fabric)
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)
