"""Rows of the report's tables, already in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from core.config import RunConfig
from core.evaluation.report_words import (
    MEASURES,
    NARROW,
    count,
    interval,
    moment,
    name,
    number,
    of_measure,
    opening,
    percent,
    plain,
)
from core.runs.events import Event

Json = Mapping[str, Any]
SHOWN_ALERTS = 40
HIDDEN_PATHS = {  # a setting that may hold a path or a file name, and what is shown instead
    "data.source": "a folder on this computer (not named here)",
    "data.table": "a table in that folder (not named here)",
    "student.weights": "a file on this computer (not named here)",
}
ENVIRONMENT = {
    "python": "Python",
    "system": "System",
    "system_release": "System release",
    "processor": "Processor",
    "cores": "Processor cores",
    "memory_mb": "Memory (MB)",
    "gpu": "Graphics card",
    "device": "Device",
    "threads": "Threads",
    "precision": "Arithmetic of the student",
    "teacher_precision": "Arithmetic of the teacher",
    "seed": "Seed",
    "bedside": "Bedside",
}


@dataclass(frozen=True)
class FigureRow:
    """One line of the table of figures."""

    group: str
    measure: str
    value: str
    interval: str
    counts: str
    patients: str
    note: str


@dataclass(frozen=True)
class ConfusionTable:
    """A confusion matrix with counts and shares of each true class."""

    title: str
    rule: str
    labels: list[str]
    rows: list[tuple[str, int, list[tuple[int, str, int]]]]


def figure_rows(evaluation: Json) -> list[FigureRow]:
    """Figures in reading order: overall first, then class by class."""
    rows = []
    for key, figure in _in_order(evaluation["figures"]):
        measure, _, of = key.partition("/")
        rows.append(
            FigureRow(
                group=name(of),
                measure=MEASURES.get(measure, plain(measure, 40)),
                value=of_measure(figure["value"], measure),
                interval=interval(figure, measure),
                counts=_counts(figure, measure),
                patients=number(figure["patients"]),
                note=opening(plain(figure["note"])),
            )
        )
    return rows


def _in_order(figures: Json) -> list[tuple[str, Json]]:
    measures, groups = list(MEASURES), list(dict.fromkeys(k.partition("/")[2] for k in figures))

    def place(item: tuple[str, Json]) -> tuple[bool, int, int]:
        measure, _, of = item[0].partition("/")
        known = measures.index(measure) if measure in measures else len(measures)
        return of != "", groups.index(of), known

    return sorted(figures.items(), key=place)


def _counts(figure: Json, measure: str) -> str:
    numerator, denominator = figure["numerator"], figure["denominator"]
    if not denominator:
        return "—"
    if numerator is None:
        return number(denominator)
    if measure == "auroc":
        return f"{number(numerator)} positive of {number(denominator)}"
    return f"{number(numerator)} of {number(denominator)}"


def methods_used(evaluation: Json) -> list[str]:
    """How the intervals of these figures were made, each once."""
    return sorted({figure["method"] for figure in evaluation["figures"].values()} - {""})


def confusion_tables(evaluation: Json) -> list[ConfusionTable]:
    """Counts with the share of each true class, and that share in steps of ten for shading."""
    tables = []
    for found in evaluation["confusion"]:
        rows = []
        for label, counts in zip(found["labels"], found["counts"], strict=True):
            total = sum(counts)
            cells = [
                (amount, percent(amount / total) if total else "—", round(10 * amount / total))
                if total
                else (amount, "—", 0)
                for amount in counts
            ]
            rows.append((name(label), total, cells))
        labels = [name(label) for label in found["labels"]]
        tables.append(ConfusionTable(name(found["title"]), plain(found["rule"]), labels, rows))
    return tables


def threshold_rows(evaluation: Json) -> list[tuple[str, str]]:
    """Class or finding and its frozen threshold."""
    return [(name(of), f"{value:.3f}") for of, value in evaluation["thresholds"].items()]


def settings_rows(config: RunConfig) -> list[tuple[str, str, str, str]]:
    """Every setting: name, value, what it means, and ``"changed"`` where it is not the default.

    What may be a path or a file name is not shown.
    """
    return [row for row in _walk(config, "") if row[0] not in {"schema_version", "name"}]


def _walk(settings: BaseModel, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for key, field in type(settings).model_fields.items():
        value, path = getattr(settings, key), f"{prefix}{key}"
        if isinstance(value, BaseModel):
            yield from _walk(value, f"{path}.")
            continue
        default = field.get_default(call_default_factory=False)
        changed = "changed" if not field.is_required() and value != default else ""
        yield path, _setting(path, value), plain(field.description or ""), changed


def _setting(path: str, value: object) -> str:
    if path in HIDDEN_PATHS and value not in ("", "demo"):
        return HIDDEN_PATHS[path]
    if path == "teacher.name" and any(mark in str(value) for mark in "/\\."):
        return "a file on this computer (not named here)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(plain(each, 60) for each in value)
    return "—" if value in ("", None) else plain(value, 120)


def cost_rows(student: Json) -> list[tuple[str, str, str, str]]:
    """Measure, student, teacher, and how many times less the student needs."""
    teacher = student.get("teacher_cost") or {}
    shapes = [
        ("Parameters (millions)", "parameters", 1e-6, 2),
        ("File size (MB)", "megabytes", 1.0, 1),
        ("Multiply-adds per image (millions)", "multiply_adds", 1e-6, 0),
        ("Time per image, median (ms)", "latency_ms", 1.0, 1),
    ]
    rows = []
    for title, key, unit, digits in shapes:
        mine, theirs = student.get(key), teacher.get(key)
        if mine is None:
            continue
        told = [_amount(each, unit, digits) for each in (mine, theirs)]
        if key == "latency_ms":
            told = [
                _with_range(text, card) for text, card in zip(told, (student, teacher), strict=True)
            ]
        rows.append((title, told[0], told[1], _times(mine, theirs)))
    return rows


def _amount(value: float | None, unit: float, digits: int) -> str:
    return "—" if value is None else f"{value * unit:,.{digits}f}".replace(",", NARROW)


def _with_range(text: str, card: Json) -> str:
    low, high = card.get("latency_low"), card.get("latency_high")
    return text if low is None or high is None else f"{text} ({low:.1f} to {high:.1f})"


def _times(mine: float, theirs: float | None) -> str:
    if not theirs or not mine:
        return "—"
    ratio = theirs / mine
    return f"{ratio:.1f} × less" if ratio >= 1 else f"{1 / ratio:.1f} × more"


def alert_rows(events: list[Event]) -> list[tuple[str, str, str, str]]:
    """Time, level, code and text of each alert; a last line counts what does not fit."""
    alerts = [event for event in events if event["type"] == "alert"]
    rows = [
        (
            moment(a.get("ts")),
            plain(a.get("level"), 12),
            plain(a.get("code"), 12),
            plain(a.get("text")),
        )
        for a in alerts[:SHOWN_ALERTS]
    ]
    if len(alerts) > SHOWN_ALERTS:
        rows.append(
            ("", "", "", f"{count(len(alerts) - SHOWN_ALERTS, 'further notice')} in the run's log")
        )
    return rows


def environment_rows(environment: Json) -> list[tuple[str, str]]:
    """Known facts about machine and versions; anything else is left out."""
    rows = [
        (title, plain(environment[key], 80))
        for key, title in ENVIRONMENT.items()
        if isinstance(environment.get(key), str | int | float)
    ]
    revision = environment.get("git")
    if isinstance(revision, Mapping) and revision.get("commit"):
        state = ", changed since" if revision.get("changed") else ""
        rows.append(("Code revision", plain(revision["commit"], 40)[:12] + state))
    packages = environment.get("packages")
    if isinstance(packages, Mapping):
        told = ", ".join(f"{plain(k, 40)} {plain(v, 30)}" for k, v in sorted(packages.items()))
        rows.append(("Packages", told))
    return rows
