"""What the Export page shows: the finished runs, and what one of them hands over."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.errors import as_facts
from app.observe import Observer
from app.text import export as text
from core.errors import BedsideError, ExportError
from core.files import read_facts, sha256_file
from core.inference.card import ModelCard, read_card
from core.inference.hand_over import FILES, MARKER, REPORT, require_whole
from core.objectives.methods import METHODS
from core.runs.companion import STUDENT_ONLY, companion_of, find_companions
from core.runs.layout import RunFolder
from core.runs.seal import openings
from core.runs.status import RunStatus
from core.runs.store import RunSummary
from core.students.spec import STUDENTS
from core.tasks.store import read_request, task_result

DIFFER = "[X01]"  # how the text of a run begins whose exported files disagreed
FIGURES = ("validation.json", "test.json", "companion*.json")  # what a report is made from
Facts = dict[str, Any]


def describe_export(observer: Observer, asked: str) -> Facts:
    """Everything the page shows.

    Args:
        observer: The workspace.
        asked: Id of the run that the address names; "" takes the newest that had a teacher.
    """
    project = observer.project()
    lines = [line for line in observer.list_runs() if _has_ended(line)]
    source = project.config.data.source if project else None
    mine = [line for line in lines if line.source == source]
    problem = None
    if asked and asked not in {line.id for line in mine}:
        problem, extra = _elsewhere(observer, asked, lines)
        mine = [*extra, *mine]
    taught = [line for line in mine if line.method != STUDENT_ONLY]  # its yardstick is no result
    chosen = next((line for line in mine if line.id == asked), next(iter(taught or mine), None))
    return {
        "project": project and {"title": project.title, "imported": project.is_imported},
        "runs": [_line(observer, line) for line in mine],
        "problem": problem,
        "run": _run(observer, chosen) if chosen else None,
    }


def finished_run(observer: Observer, name: str) -> RunFolder:
    """The completed run called `name`.

    Raises:
        RunError: R01, there is none.
        ExportError: X20, it has no finished student.
    """
    run = observer.run(name)
    if observer.watch(run).state is not RunStatus.COMPLETED:
        raise ExportError("X20", text.NOT_FINISHED, item=run.id, todo=text.NOT_FINISHED_TODO)
    return run


def _has_ended(line: RunSummary) -> bool:
    differ = line.status is RunStatus.FAILED and line.text.startswith(DIFFER)
    return line.status is RunStatus.COMPLETED or differ


def _elsewhere(
    observer: Observer, asked: str, lines: list[RunSummary]
) -> tuple[Facts | None, list[RunSummary]]:
    """A run that is not among the project's: of another project, unfinished, or gone."""
    found = [line for line in lines if line.id == asked]
    if found:
        return None, found
    try:
        finished_run(observer, asked)
    except BedsideError as error:
        return as_facts(error), []
    return None, []


def _line(observer: Observer, line: RunSummary) -> Facts:
    student = STUDENTS.get(line.student).title if line.student in STUDENTS.names() else line.student
    method = METHODS[line.method].title if line.method in METHODS else line.method
    return {
        "id": line.id,
        "name": line.name,
        "created": line.created.isoformat(timespec="minutes"),
        "student": student,
        "method": method,
        "handed_over": (observer.runs.folder / line.id / MARKER).exists(),
    }


def _run(observer: Observer, line: RunSummary) -> Facts:
    run = observer.run(line.id)
    facts = _line(observer, line) | {
        "student_card": None,
        "parity": _parity(run, line),
        "files": [],
        "report": _report(run),
        "command": f"python launch.py export {run.id} FOLDER",
        "folder": str(run.export),
        **_tasks(observer, run),
    }
    try:
        card = read_card(run.export)
    except BedsideError:
        return facts
    return facts | {"student_card": _card(run, card), "files": _files(run)}


def _card(run: RunFolder, card: ModelCard) -> Facts:
    cost, method = read_facts(run.path / "student.json"), METHODS.get(card.method)
    found = card.model_dump(
        mode="json",
        include={"title", "classes", "task", "channels", "image_px", "pixels", "thresholds",
                 "teacher", "synthetic", "bedside_version"},
    )  # fmt: skip
    names = ("parameters", "megabytes", "latency_ms", "machine", "threads", "summary")
    return found | {
        "method": method.title if method else card.method,
        "started_from": bool(card.initial_weights),
        "cost": {name: cost.get(name) for name in names},
        "figures": {
            split: read_facts(run.report / f"{split}.json").get("figures", {}).get("auroc")
            for split in ("validation", "test")
        },
    }


def _parity(run: RunFolder, line: RunSummary) -> Facts:
    """Whether the files still are what was compared, and whether they agreed."""
    if line.status is RunStatus.FAILED:
        return {"state": "differs", "text": line.text.removeprefix(DIFFER).strip()}
    try:
        require_whole(run.export)
    except BedsideError as error:
        return {"state": "damaged", "problem": as_facts(error)}
    found = read_facts(run.export / "parity.json")
    if "max_difference" not in found:
        return {"state": "unknown"}
    return found | {"state": "agrees" if found.get("agrees") else "differs", "text": ""}


def _files(run: RunFolder) -> list[Facts]:
    places = {name: run.export / name for name in FILES} | {REPORT: run.report / REPORT}
    return [
        {"name": name, "what": text.FILES[name], "bytes": file.stat().st_size,
         "sha256": _sha256(file, file.stat().st_mtime_ns, file.stat().st_size)}
        for name, file in places.items()
        if file.is_file()
    ]  # fmt: skip


def _report(run: RunFolder) -> Facts:
    """When the report was written, and what it does not know yet."""
    file = run.report / REPORT
    if not file.is_file():
        return {"there": False, "written": "", "stale": []}
    written = file.stat().st_mtime
    stale = []
    figures = [file for name in FIGURES for file in run.report.glob(name)]
    if any(_modified(file) > written + 1 for file in figures):
        stale.append("figures")
    if any(companion_of(run, name) != each.id for name, each in find_companions(run).items()):
        stale.append("companion")
    if any(_moment(opening["ts"]) > written + 1 for opening in _openings(run)):
        stale.append("opened")
    moment = datetime.fromtimestamp(written, UTC).isoformat(timespec="seconds")
    return {"there": True, "written": moment, "stale": stale}


def _tasks(observer: Observer, run: RunFolder) -> Facts:
    """The newest copy and the newest report of this run, as far as tasks are kept."""
    found: Facts = {}
    for kind, name in (("hand_over", "copying"), ("report", "writing")):
        task = observer.tasks.newest(kind, run=run.id)
        facts = observer.watch(task).summary() if task else None
        if task is None or facts is None:
            found[name] = None
            continue
        request = read_request(task)["request"]
        result = task_result(task) or {}
        found[name] = {key: facts[key] for key in ("id", "live", "state", "failure")} | {
            "folder": request.get("folder", ""),
            "files": len(result.get("files", [])),
        }
    return found


def _openings(run: RunFolder) -> list[dict[str, str]]:
    try:
        return openings(run)
    except (OSError, ValueError, KeyError):
        return []


def _moment(stamp: str) -> float:
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0.0


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


@functools.lru_cache(maxsize=256)
def _sha256(file: Path, modified: int, size: int) -> str:
    """Computed anew only when the file has changed."""
    return sha256_file(file)
