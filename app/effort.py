"""What each preset means for a project: passes, and the time it takes where that is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.fields import field_title
from app.text import train as text
from core.choosing import choose_settings, value_at
from core.config import RunConfig
from core.errors import BedsideError
from core.estimate import estimate, read_images
from core.machine import likely_device
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
        reasons: Setting, its value, and why it has that value.
    """

    choices: list[tuple[str, str]]
    chosen: str | None
    sentence: str
    reasons: list[tuple[str, str, str]]


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
    plan = text.plan(config, images, time, own=own)
    return Effort(choices, None if own else found, plan, explain_settings(config, images))


def explain_settings(config: RunConfig, images: int) -> list[tuple[str, str, str]]:
    """Why the settings of `config` are what they are; one that was changed says what it was."""
    usual = choose_settings(config, images, likely_device(config.device.accelerator))
    preset = preset_of(config, images)
    meant = usual.config if preset == OWN else with_preset(usual.config, preset, images)
    rows = []
    for reason in usual.reasons:
        value, due = (value_at(each, reason.field) for each in (config, meant))
        sentence = reason.sentence
        if value != due:
            sentence = text.yours(text.shown(reason.value), sentence)
        elif due != reason.value:
            sentence = text.by_preset(PRESETS[preset].title, text.shown(reason.value), sentence)
        title = text.WHY_TITLES.get(reason.field) or field_title(tuple(reason.field.split(".")))
        rows.append((title, text.shown(value), sentence))
    return rows


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
