"""What a run was made with: versions, machine, code revision, seed."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from core.files import read_json, write_json
from core.runs.layout import RunFolder

ROOT = Path(__file__).resolve().parent.parent.parent
REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
GIT_S = 10.0


def record_environment(run: RunFolder, attempt: int, facts: dict[str, Any]) -> None:
    """Add to the run's ``environment.json`` what attempt `attempt` is made with.

    Called again within one attempt, it adds to that attempt's facts; a new attempt keeps what the
    earlier ones recorded under ``"earlier"``.

    Args:
        run: The run.
        attempt: Number of the attempt, from 1.
        facts: Plain values; no path and no name of a person.
    """
    recorded = _read(run.environment)
    if recorded.get("attempt", attempt) != attempt:
        earlier = recorded.pop("earlier", [])
        recorded = {"earlier": [*earlier, recorded]}
    write_json(run.environment, {"attempt": attempt, **recorded, **facts})


def describe_environment() -> dict[str, Any]:
    """Versions of Python, the system and every required package, and the machine's size."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "system_release": platform.release(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 1_000_000,
        "packages": _packages(),
        "git": _revision(),
    }


def _packages() -> dict[str, str]:
    """Installed versions of what ``requirements.txt`` names."""
    found = {}
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if name := REQUIREMENT.match(line):
            with contextlib.suppress(PackageNotFoundError):
                found[name[0]] = version(name[0])
    return found


def _revision() -> dict[str, Any] | None:
    """Commit of the code and whether it was changed since; None outside a git clone."""
    try:
        commit = _git("rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(_git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=GIT_S,
        check=True,
    ).stdout.strip()


def _read(path: Path) -> dict[str, Any]:
    try:
        recorded = read_json(path)
    except (OSError, ValueError):
        return {}
    return recorded if isinstance(recorded, dict) else {}
