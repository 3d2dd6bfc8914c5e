"""Two runs side by side, and which other methods a run can be compared with."""

from __future__ import annotations

from typing import Any

from app.fields import field_title
from app.observe import Observer
from app.text import train as text
from core.config import RunConfig, load_config
from core.differences import differing_settings
from core.errors import ConfigError
from core.evaluation import report_words as words
from core.evaluation.report_pair import verdict_of
from core.files import read_facts
from core.objectives.methods import METHODS, find_method, require_suitable
from core.runs.companion import (
    companion_request,
    data_of,
    may_compare,
)
from core.runs.extend import Plans, plans
from core.runs.layout import RunFolder
from core.runs.starting import RESUMABLE
from core.runs.status import RunStatus
from core.runs.store import RunSummary
from core.types import Task

Json = dict[str, Any]


def other_methods(observer: Observer, run: RunFolder, config: RunConfig) -> list[Json]:
    """Every other method: what it is, the run of it beside this one, why there can be none."""
    beside = _beside(observer, run, config)
    return [
        {
            "id": name,
            "title": method.title,
            "about": method.about,
            "refusal": _refusal(run, name),
            "run": beside.get(name),
            "verdict": verdict_of(run, observer.run(beside[name]["id"])) if name in beside else "",
        }
        for name, method in METHODS.items()
        if name != config.method.name
    ]


def require_possible(run: RunFolder, method: str) -> None:
    """Refuse a method that there is not, or that is undefined for the labels of `run`.

    Raises:
        ConfigError: C12 or C18; see `core.objectives.methods`.
    """
    find_method(method)
    dataset = read_facts(run.path / "dataset.json")
    if dataset:  # else its images have not been read yet
        require_suitable(method, Task(dataset["task"]), len(dataset["classes"]))


def _refusal(run: RunFolder, method: str) -> str:
    """Why there can be no run of `method` beside `run`; empty where there can."""
    try:
        require_possible(run, method)
    except ConfigError as error:
        return f"{error.what}."
    return ""


def _beside(observer: Observer, run: RunFolder, config: RunConfig) -> dict[str, Json]:
    """For each method the run beside this one: complete, at work, or begun."""
    requests = {name: companion_request(config, name).sha256 for name in METHODS}
    stretches = plans(run)
    found: dict[str, Json] = {}
    begun: dict[str, Json] = {}
    for line in observer.list_runs():
        if line.id == run.id or line.method not in requests or line.method in found:
            continue
        complete = line.status is RunStatus.COMPLETED
        if not (complete or line.status.is_live or line.status in RESUMABLE) or line.problem:
            continue
        other = observer.run(line.id)
        if may_compare(run, other):
            (found if complete else begun).setdefault(line.method, _named(line))
        elif not complete and _same(other, requests[line.method], stretches):
            begun.setdefault(line.method, _named(line))
    return begun | found


def _same(other: RunFolder, request: str, stretches: Plans) -> bool:
    """Whether a run that has no images yet was asked for just that."""
    return not stretches and not plans(other) and load_config(other.config).sha256 == request


def compare_runs(run: RunFolder, other: RunFolder) -> Json:
    """Two runs side by side: settings that differ, figures, and what they do and do not say."""
    pair = (run, other)
    asked = [load_config(each.config) for each in pair]
    figures = [read_facts(each.report / "validation.json").get("figures", {}) for each in pair]
    try:
        alike = data_of(run) == data_of(other)
    except (OSError, ValueError, KeyError):
        alike = False
    note = text.UNPAIRED if alike else text.OTHER_IMAGES
    paired = verdict_of(run, other) or verdict_of(other, run)
    return {
        "settings": [
            [_setting(key), *(_value(key, value) for value in values)]
            for key, *values in differing_settings(*asked)
            if key != "name"
        ],
        "figures": [
            [words.MEASURES[name], figures[0][name], figures[1][name]]
            for name in words.MEASURES
            if name in figures[0] and name in figures[1]
        ],
        "note": paired or (note if all(figures) else text.NO_FIGURES),
    }


def _setting(key: str) -> str:
    group, *path = key.split(".")
    title = text.GROUPS.get(group, field_title((group,)))
    return f"{title}: {field_title(tuple(path))}" if path else title


def _value(key: str, value: Any) -> str:
    if key == "method.name" and value in METHODS:
        return METHODS[value].title
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "–" if value in (None, "") else str(value)


def _named(line: RunSummary) -> Json:
    return {"id": line.id, "name": line.name, "status": line.status.value,
            "complete": line.status is RunStatus.COMPLETED}  # fmt: skip
