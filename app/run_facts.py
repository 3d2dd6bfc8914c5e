"""What the Train page says of runs besides their curves: one run, and the list."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Any

from app.beside_facts import other_methods
from app.observe import Observer
from app.text import train as text
from core.config import RunConfig, load_config
from core.errors import BedsideError
from core.evaluation import report_words as words
from core.evaluation.report_stages import stages_in_words
from core.files import read_facts
from core.objectives.methods import METHODS
from core.runs.companion import STUDENT_ONLY
from core.runs.events import Event, parse_lines
from core.runs.extend import Origin, read_origin
from core.runs.layout import RunFolder, created_at
from core.runs.store import RunSummary, disk_used
from core.students.spec import STUDENTS
from core.teachers.catalogue import find_teacher

ELAPSED = re.compile(rb'"elapsed_s":([\d.]+),"attempt":(\d+)')
FREQUENT = re.compile(rb'"type":"(metric|progress)"')
LOG_LINES = 200
MOST_ALERTS = 30
LOG_BYTES = 24_000
Json = dict[str, Any]


class RunFacts:
    """What is known of the runs of a workspace; lines of the list are kept while nothing changes.

    Args:
        observer: The workspace.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._kept: dict[str, tuple[tuple[Any, ...], Json]] = {}
        self._lock = threading.Lock()

    def list(self) -> list[Json]:
        """A line for every run, the newest first."""
        project = self._observer.project()
        source = project.config.data.source if project else ""
        with self._lock:
            lines = [self._line(line) for line in self._observer.list_runs()]
            known = {line["id"] for line in lines}
            self._kept = {name: kept for name, kept in self._kept.items() if name in known}
        return [line | {"own": line["source"] == source} for line in lines]

    def one(self, run: RunFolder) -> Json:
        """Everything about one run that does not change with every step."""
        line = next((found for found in self.list() if found["id"] == run.id), None)
        facts: Json = line or {"id": run.id, "name": run.id, "problem": ""}
        try:
            config = load_config(run.config)
        except BedsideError as error:
            return facts | {"problem": error.sentence}
        method = METHODS.get(config.method.name)
        origin = read_origin(run)
        methods = other_methods(self._observer, run, config)
        yardstick = next((each for each in methods if each["id"] == STUDENT_ONLY), None)
        return facts | {
            "about": method.about if method else "",
            "passes": config.train.epochs,
            "patience": config.train.patience,
            "alone": config.method.name == STUDENT_ONLY,
            "curves": list(method.curves) if method else [],
            "origin": _origin(origin),
            "command": _command(run, config, origin),
            "sentence": self._sentence(run),
            "methods": methods,
            "companion": yardstick["run"] if yardstick else None,
            "stages": _stages(run),
        }

    def _line(self, line: RunSummary) -> Json:
        run = RunFolder(self._observer.runs.folder / line.id)
        signature = (line, _stamps(run))
        kept = self._kept.get(line.id)
        if kept is None or kept[0] != signature:
            kept = (signature, _describe(run, line))
            self._kept[line.id] = kept
        return kept[1]

    def _sentence(self, run: RunFolder) -> str:
        evaluation = read_facts(run.report / "validation.json")
        if not evaluation:
            return ""
        said = words.auroc_in_words(evaluation, "validation")
        return " ".join(filter(None, (said, words.smallness(evaluation, "validation"))))


def run_log(run: RunFolder) -> Json:
    """What happened, in words, what the user should know, and what the worker printed last."""
    events = []
    for event in parse_lines(_rare_lines(run)):
        said = _in_words(event)
        if said:
            level = event.get("level", "")
            events.append({"ts": event["ts"], "level": level, "code": event.get("code", "")} | said)
    return {
        "events": events[-LOG_LINES:],
        "alerts": [event for event in events if event["level"]][-MOST_ALERTS:],
        "console": _printed(run),
    }


def _rare_lines(run: RunFolder) -> bytes:
    """The log without points of curves and progress, which are nearly all of it."""
    try:
        log = run.events.read_bytes()
    except OSError:
        return b""
    return b"\n".join(line for line in log.split(b"\n") if not FREQUENT.search(line))


def _in_words(event: Event) -> Json | None:
    kind = event["type"]
    if kind == "checkpoint":
        return {"text": text.SAVED[event["which"]].format(step=event["step"])}
    if kind in {"alert", "phase"}:
        return {"text": event["text"]}
    if kind in text.EVENTS:
        more = event.get("text") or event.get("device") or ""
        return {"text": f"{text.EVENTS[kind]}: {more}" if more else text.EVENTS[kind]}
    return None


def _printed(run: RunFolder) -> str:
    try:
        with run.console.open("rb") as console:
            size = console.seek(0, os.SEEK_END)
            console.seek(max(0, size - LOG_BYTES))
            lines = console.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[1 if size > LOG_BYTES else 0 :][-LOG_LINES:])


def _describe(run: RunFolder, line: RunSummary) -> Json:
    evaluation = read_facts(run.report / "validation.json")
    method = METHODS.get(line.method)
    return {
        "id": line.id,
        "name": line.name,
        "status": line.status.value,
        "created": created_at(line.id).isoformat(),
        "method": method.title if method else line.method,
        "teacher": "" if line.method == STUDENT_ONLY else _teacher(run, line.teacher),
        "student": _student(run, line.student),
        "alone": line.method == STUDENT_ONLY,
        "source": line.source,
        "problem": line.problem,
        "auroc": evaluation.get("figures", {}).get("auroc"),
        "seconds": 0.0 if line.status.is_live else _seconds(run),
        "bytes": disk_used(run),
        "report": (run.report / "report.html").exists(),
    }


def _stamps(run: RunFolder) -> tuple[int, ...]:
    found = []
    for path in (run.path, run.report, run.checkpoints):
        try:
            found.append(path.stat().st_mtime_ns)
        except OSError:
            found.append(0)
    return tuple(found)


def _seconds(run: RunFolder) -> float:
    """How long all attempts took together."""
    try:
        log = run.events.read_bytes()
    except OSError:
        return 0.0
    spent = {number: float(elapsed) for elapsed, number in ELAPSED.findall(log)}
    return round(sum(spent.values()), 1)


def _teacher(run: RunFolder, name: str) -> str:
    title = read_facts(run.path / "teacher.json").get("title")
    if title:
        return str(title)
    try:
        return find_teacher(name).title
    except BedsideError:
        return Path(name).name


def _student(run: RunFolder, name: str) -> str:
    try:
        return str(read_facts(run.path / "student.json").get("title") or STUDENTS.get(name).title)
    except BedsideError:
        return name


def _origin(origin: Origin | None) -> Json | None:
    if origin is None:
        return None
    return {"run": origin.run, "step": origin.step, "passes": origin.passes}


def _command(run: RunFolder, config: RunConfig, origin: Origin | None) -> str:
    """What does the same on the command line."""
    if origin:
        more = config.train.epochs - origin.passes
        return f"python launch.py extend {origin.run} --epochs {more}"
    return f'python launch.py run "{run.config}"'


def _stages(run: RunFolder) -> Json | None:
    """Teacher and student stage by stage, with what it says; None where that was not measured."""
    found = read_facts(run.alignment)
    return found | {"words": stages_in_words(found)} if found else None
