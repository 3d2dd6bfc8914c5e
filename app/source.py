"""The state of the Data page: the project that is open, its import, what may be opened instead."""

from __future__ import annotations

import threading
from typing import Any

from app.errors import as_facts
from app.found import Findings
from app.import_facts import describe_import
from app.observe import Observer
from app.text import data as text
from core.errors import BedsideError, DataError
from core.files import read_json
from core.projects import DEMO, Project, incoming_root
from core.runs.status import RunStatus

RECENT = 8  # projects offered
_starting = threading.Lock()


def start_import(observer: Observer, project: Project, *, decoded: bool = False) -> str:
    """Read a project's images in a process of their own; returns the task's id.

    Where that is being done already, by this tab or another, its id is returned.

    Args:
        observer: The workspace.
        project: The project.
        decoded: Only divide the patients of the images that were read last.
    """
    with _starting:
        task = observer.tasks.live("import", project=project.id)
        if task is None:
            wanted = {"project": project.id} | ({"decoded": True} if decoded else {})
            task = observer.tasks.start("import", wanted)
    observer.forget()
    return task.id


def form_key(project: Project | None) -> str:
    """Names the settings that a form shows: a project's as they are now; empty without one."""
    return f"{project.id}-{project.config.sha256[:16]}" if project else ""


def describe_state(observer: Observer, findings: Findings) -> dict[str, Any]:
    """Everything the page shows but the pictures."""
    project = observer.projects.current()
    state: dict[str, Any] = {
        "project": None,
        "recent": [_line(other, project) for other in observer.projects.list()[:RECENT]],
        "task": None,
        "ended": "",
        "problem": None,
        "found": None,
        "split": None,
        "look": None,
    }
    if project is None:
        return state
    state["project"] = {
        "id": project.id,
        "form": form_key(project),
        "title": project.title,
        "imported": project.is_imported,
        "synthetic": project.config.data.source == DEMO,
        "source": _source(observer, project),
    }
    _add_task(state, observer, project)
    if project.found:
        _add_found(state, observer, findings, project)
    live = state["task"] and state["task"]["live"]
    if not (live or state["problem"] or state["ended"] or project.is_imported):
        state["ended"] = "undivided" if project.found else "unread"  # its settings were changed
    return state


def _line(project: Project, current: Project | None) -> dict[str, Any]:
    found = project.found
    return {
        "id": project.id,
        "title": project.title,
        "opened": project.opened,
        "current": current is not None and project.id == current.id,
        "images": found.get("usable"),
        "patients": found.get("patients"),
        "classes": len(found.get("classes", [])),
    }


def _source(observer: Observer, project: Project) -> dict[str, str]:
    source = project.config.data.source
    if source == DEMO:
        return {"kind": "demo", "path": ""}
    if incoming_root(observer.workspace, source):
        return {"kind": "dropped", "path": ""}
    return {"kind": "folder", "path": source}


def _add_task(state: dict[str, Any], observer: Observer, project: Project) -> None:
    task = observer.tasks.newest("import", project=project.id)
    if task is None:
        return
    facts = observer.watch(task).summary()
    state["task"] = facts
    if facts["failure"]:
        failure = facts["failure"]
        advice = failure["todo"] or text.ADVICE.get(failure["code"], text.TRY_AGAIN)
        state["problem"] = failure | {"what": failure["what"].rstrip(".") + ".", "todo": advice}
    elif facts["state"] in {RunStatus.INTERRUPTED, RunStatus.STOPPED, RunStatus.CREATED}:
        state["ended"] = facts["state"]


def _add_found(
    state: dict[str, Any], observer: Observer, findings: Findings, project: Project
) -> None:
    try:
        state["found"] = findings.summary(project)
        state["look"] = describe_import(project)
        if project.is_imported:
            state["split"] = read_json(project.folder / "split.json")
        pixels = observer.workspace / "datasets" / state["found"]["dataset"] / "pixels.npy"
        if not pixels.is_file():
            raise DataError("I08", text.CACHE_GONE, todo=text.CACHE_GONE_TODO)
    except BedsideError as error:
        state["problem"] = state["problem"] or as_facts(error)
