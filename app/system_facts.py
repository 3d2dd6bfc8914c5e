"""What the System page shows: this computer, what Bedside takes of it, and what has left it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.address import CARD
from app.observe import Observer
from app.text import system as text
from core.check import describe_machine, list_licences
from core.disk import Item, list_items
from core.files import read_json
from core.inference.card import bedside_version
from core.outbound import FETCH
from core.tasks.store import task_result

Facts = dict[str, Any]


def describe_system(observer: Observer, blocked: int) -> Facts:
    """Everything the page shows.

    Args:
        observer: The workspace.
        blocked: How often a page tried to load what the content policy forbids.
    """
    workspace = observer.workspace
    machine = describe_machine(workspace)
    environment = machine["environment"]
    return {
        "machine": {
            "processor": machine["machine"],
            "threads": machine["threads"],
            "memory": machine["memory"],
            "memory_free": machine["memory_free"],
            "system": f"{environment['system']} {environment['system_release']}",
        },
        "check": _check(observer),
        "bedside": {
            "version": bedside_version(),
            "python": environment["python"],
            "commit": environment["git"],
            "address": _address(workspace),
            "workspace": str(workspace),
            "log": str(workspace / "server.log"),
        },
        "disk": machine["disk"],
        "items": [_item(item) for item in list_items(workspace)],
        "busy": [job["name"] for job in observer.live_jobs()],
        "connections": _connections(machine["connections"]) | {"blocked": blocked},
        "proxies": machine["proxies"],
        "packages": list_licences(),
        "bundled": text.BUNDLED,
        "notice": text.NOTICE,
    }


def start_check(observer: Observer) -> None:
    """Look at this computer with torch, in a process of its own."""
    if observer.tasks.live("check") is None:
        observer.tasks.start("check", {})
    observer.forget()


def _check(observer: Observer) -> Facts | None:
    """The newest look at the devices, as far as tasks are kept."""
    task = observer.tasks.newest("check")
    if task is None:
        return None
    facts = observer.watch(task).summary()
    result = task_result(task) or {}
    return {key: facts[key] for key in ("id", "live", "state", "failure")} | {
        "devices": result.get("devices"),
        "when": task.id[:15],
    }


def _connections(found: Facts) -> Facts:
    """What left by itself, apart from what the user agreed to."""
    kinds = [kind for kind in text.PROCESSES if kind != FETCH]
    kinds += sorted(found["watched"].keys() - text.PROCESSES.keys())
    rows = [
        {
            "name": text.PROCESSES.get(kind, kind),
            "watched": found["watched"].get(kind, 0),
            "attempts": found["attempts"].get(kind, 0),
        }
        for kind in kinds
    ]
    return {
        "since": found["since"],
        "rows": rows,
        "left": sum(row["attempts"] for row in rows),
        "fetches": {
            "name": text.PROCESSES[FETCH],
            "watched": found["watched"].get(FETCH, 0),
            "attempts": found["attempts"].get(FETCH, 0),
        },
        "lines": found["lines"],
    }


def _item(item: Item) -> Facts:
    return {
        "kind": item.kind,
        "name": item.name,
        "bytes": item.bytes,
        "facts": item.facts,
        "projects": item.projects,
        "runs": item.runs,
        "needed_by": item.needed_by,
    }


def _address(workspace: Path) -> str:
    """Where this server listens."""
    try:
        card = read_json(workspace / CARD)
        host, port = str(card["address"]), int(card["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
