"""What each preset means for a project: passes, and the time it takes where that is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.text import train as text
from core.config import RunConfig
from core.errors import BedsideError
from core.estimate import estimate, read_images
from core.measures import read_measures, setting_for
from core.presets import OWN, PRESETS, preset_of, with_preset
from core.projects import Project
from core.teachers.catalogue import find_teacher


@dataclass(frozen=True)
class Effort:
    """What the Train page says about how much will be done.

    Attributes:
        choices: Label and key of every preset.
        chosen: Key of the one whose effort the request has, or None.
        sentence: What Start will do.
    """

    choices: list[tuple[str, str]]
    chosen: str | None
    sentence: str


def describe_effort(project: Project | None, config: RunConfig, workspace: Path) -> Effort:
    """The presets beside the request `config` of a project; None before the first project."""
    images = project.training_images if project else 0
    wanted = {key: with_preset(config, key, images) for key in PRESETS} | {OWN: config}
    seconds = _seconds(project, wanted, workspace) if project else {}
    choices = [
        (
            text.preset_label(
                preset.title, preset.summary, wanted[key].train.epochs, seconds.get(key)
            ),
            key,
        )
        for key, preset in PRESETS.items()
    ]
    found = preset_of(config, images)
    own = found == OWN
    time = seconds.get(OWN) if own else None
    return Effort(choices, None if own else found, text.plan(config, images, time, own=own))


def _seconds(project: Project, wanted: dict[str, RunConfig], workspace: Path) -> dict[str, float]:
    """How long each request would take, as far as its student and teacher have been measured."""
    found = {}
    try:
        images = read_images(project)
        known = read_measures(setting_for(project), workspace)
        spec = find_teacher(project.config.teacher.name)
        for key, config in wanted.items():
            guess = estimate(config, images, known, spec, workspace)
            if guess is not None:
                found[key] = sum(guess.seconds.values())
    except (BedsideError, OSError, ValueError, KeyError):
        return {}  # not imported yet, or the teacher's file is gone; starting will say so
    return found
