"""Extending a completed run: a new run that goes on from its last checkpoint for more passes.

The run that is extended stays as it is. The new one takes over its images and their division, what
was chosen by measurement, its curves and its checkpoints; the schedules (learning rate, weights of
the loss terms) are planned anew for the longer total, so at the seam the learning rate rises again.
Needs no torch: the worker opens the checkpoints.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from core.config import RunConfig, config_mistakes, load_config
from core.errors import ConfigError, RunError
from core.files import read_json, write_json
from core.runs.events import Event, EventWriter, curve, read_events
from core.runs.layout import RunFolder
from core.runs.status import RunStatus, status
from core.runs.store import RunStore

Plans = tuple[tuple[int, int], ...]
CARRIED = ("manifest.parquet", "dataset.json", "split.json", "device.json", "views.json",
           "student.json")  # fmt: skip
TOTAL = re.compile(r" to \d+ passes$")  # what an earlier extension has put behind the name
NAME_LENGTH = 60


@dataclass(frozen=True)
class Origin:
    """Where a run began that extends another.

    Attributes:
        run: Id of the run it extends.
        step: Step that it goes on from.
        passes: Passes over the training images that were done by then, the last one maybe in part.
        plans: For every stretch of training up to now, the step it began at and the passes that its
            schedules were planned for.
    """

    run: str
    step: int
    passes: int
    plans: Plans


def read_origin(run: RunFolder) -> Origin | None:
    """Where a run began; None if it extends none, which is from the start."""
    try:
        facts = read_json(run.extends)
    except (OSError, ValueError):
        return None
    plans = tuple((int(step), int(passes)) for step, passes in facts["plans"])
    return Origin(str(facts["run"]), int(facts["step"]), int(facts["passes"]), plans)


def plans(run: RunFolder) -> Plans:
    """The stretches of an extended run, as `Origin.plans`; none for any other run."""
    origin = read_origin(run)
    return origin.plans if origin else ()


def passes_done(run: RunFolder) -> tuple[int, int]:
    """The step of a run's last checkpoint, and the passes that takes, rounded up.

    Raises:
        RunError: R62, it has no checkpoint or no curve.
    """
    index = run.checkpoints / "index.json"
    losses = curve(read_events(run.events), "loss")
    if not index.exists() or not losses:
        raise RunError(
            "R62",
            "There is nothing to go on from: the run has no checkpoint",
            item=run.id,
            todo="Start a new run with more passes.",
        )
    step = int(read_json(index)["last"]["step"])
    last = losses[-1]
    per_pass = (last.step + 1) / last.epoch
    return step, max(1, math.ceil(step / per_pass - 1e-6))


@dataclass(frozen=True)
class Extension:
    """A run to be: its request, and where it begins."""

    of: RunFolder
    config: RunConfig
    origin: Origin


def plan_extension(run: RunFolder, passes: int) -> Extension:
    """What the run is that extends `run` by `passes` passes.

    Raises:
        RunError: R61, `run` is not complete; R62, it has no checkpoint.
        ConfigError: C01, the number of passes cannot be.
    """
    if status(run) is not RunStatus.COMPLETED:
        raise RunError(
            "R61",
            "Only a completed run can be extended",
            item=run.id,
            todo="Wait until it is complete; one that was stopped or interrupted can be resumed.",
        )
    before = load_config(run.config)
    step, done = passes_done(run)
    config = _longer(before, done, passes)
    earlier = read_origin(run)
    plans = earlier.plans if earlier else ((0, before.train.epochs),)
    origin = Origin(run.id, step, done, (*plans, (step, config.train.epochs)))
    return Extension(run, config, origin)


def create_extension(store: RunStore, extension: Extension) -> RunFolder:
    """Create, but do not launch, the run.

    Raises:
        SystemError_: The workspace cannot be written.
    """
    events = read_events(extension.of.events)

    def fill(draft: RunFolder, writer: EventWriter) -> None:
        write_json(draft.extends, asdict(extension.origin))
        _carry(extension.of, draft, extension.config)
        _carry_curves(events, writer)

    return store.create(extension.config, fill)


def _longer(config: RunConfig, done: int, passes: int) -> RunConfig:
    if passes < 1:
        raise ConfigError(
            "C01", "A run is extended by at least one pass", todo="Give a number from 1 on."
        )
    total = done + passes
    end = f" to {total} passes"
    tree = config.model_dump()
    tree["train"]["epochs"] = total
    tree["name"] = TOTAL.sub("", config.name)[: NAME_LENGTH - len(end)] + end
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(
            "C01",
            f"The run cannot be extended to {total} passes: {config_mistakes(error)}",
            todo="Give a smaller number.",
        ) from error


def _carry(run: RunFolder, draft: RunFolder, config: RunConfig) -> None:
    """Files of `run` that the new one needs; the worker checks them against data and teacher."""
    for name in CARRIED:
        if (run.path / name).exists():
            shutil.copy2(run.path / name, draft.path / name)
    inputs = read_json(run.path / "inputs.json") | {"config": json.loads(config.to_json())}
    write_json(draft.path / "inputs.json", inputs)
    draft.inherited.mkdir()
    for file in run.checkpoints.iterdir():
        _link(file, draft.inherited / file.name)


def _carry_curves(events: list[Event], writer: EventWriter) -> None:
    """The points that led to the weights taken over, so that the new run's curves are whole."""
    names = dict.fromkeys(event["name"] for event in events if event["type"] == "metric")
    points = [(point.step, name, point) for name in names for point in curve(events, name)]
    for step, name, point in sorted(points, key=lambda found: found[0]):
        value = math.nan if point.value is None else point.value
        writer.metric(name, value, step=step, epoch=point.epoch)


def _link(source: Path, target: Path) -> None:
    """The same file under a second name where the disk can do that; checkpoints never change."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
