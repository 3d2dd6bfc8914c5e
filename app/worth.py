"""What the models page shows of the probe: the teachers at hand, sorted, and the map of images."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from app.observe import Observer
from app.text import models as text
from core.errors import RunError
from core.estimate import Images
from core.probes import may_be_probed, probe_key, probes_folder, read_probes
from core.projects import Project
from core.runs.layout import RunFolder
from core.runs.status import RunStatus
from core.teachers.catalogue import AtHand
from core.teachers.spec import TeacherSpec

Facts = dict[str, Any]


def describe_worth(
    observer: Observer, project: Project, at_hand: AtHand, images: Images | None
) -> Facts | None:
    """Rows, best first, and how far the task is; nothing before the images have been read."""
    if images is None:
        return None
    cache = observer.workspace / "teachers"
    here = may_be_probed(at_hand, cache)
    found = read_probes(_folder(observer.workspace, images), here, cache)
    names = {probe_key(spec): name for name, spec in here.items()}
    rows = [
        _row(names[key], here[names[key]], facts, found.behind.get(key))
        for key, facts in found.sorted()
    ]
    ranked = found.best in found.teachers and len(found.behind) + 1 == _judged(rows)
    newest = observer.tasks.newest("probe", project=project.id)
    return {
        "rows": rows,
        "ranked": ranked,  # else a difference would be from a teacher that is not the best any more
        "left": [name for name, spec in here.items() if probe_key(spec) not in found.teachers],
        "told": found.told(),
    } | _task(observer, newest)


def describe_map(observer: Observer, project: Project, spec: TeacherSpec, images: Images) -> Facts:
    """The images that were probed and where one teacher places them.

    Raises:
        RunError: R83, the teacher has not been probed on these images.
    """
    cache = observer.workspace / "teachers"
    found = read_probes(_folder(observer.workspace, images), {spec.name: spec}, cache)
    points = found.teachers.get(probe_key(spec), {}).get("points")
    if points is None:
        raise RunError("R83", text.NOT_PROBED, item=spec.title, todo=text.NOT_PROBED_TODO)
    return {**found.sample, "project": project.id, "points": points}


def start_probing(observer: Observer, project: Project) -> RunFolder:
    """Probe in a process of its own, once however often it is asked for.

    Raises:
        RunError: R84, a training or a measurement uses the computer.
    """
    task = observer.tasks.live("probe", project=project.id)
    if task is None:
        observer.forget()
        if any(job["kind"] == "run" or job["name"] == "measure" for job in observer.live_jobs()):
            raise RunError("R84", text.COMPUTER_IS_BUSY, todo=text.COMPUTER_IS_BUSY_TODO)
        task = observer.tasks.start("probe", {"project": project.id})
    observer.forget()
    return task


def _row(name: str, spec: TeacherSpec, facts: Facts, behind: Facts | None) -> Facts:
    kept = {key: facts[key] for key in ("linear", "neighbours", "seen", "problem") if key in facts}
    seconds = sum(facts["seconds"].values()) if "seconds" in facts else None
    return {"id": name, "title": spec.title, "seconds": seconds, "behind": behind} | kept


def _judged(rows: list[Facts]) -> int:
    return sum("linear" in row and row["linear"]["auroc"]["value"] is not None for row in rows)


def _task(observer: Observer, newest: RunFolder | None) -> Facts:
    watch = observer.watch(newest).summary() if newest else None
    live = bool(watch and watch["live"])
    ended = watch["state"] if watch and not live else ""
    return {
        "task": watch["id"] if watch and live else None,
        "ended": ended if ended in {RunStatus.STOPPED, RunStatus.INTERRUPTED} else "",
        "failure": watch["failure"] if watch and not live else None,
    }


@functools.lru_cache(maxsize=4)
def _folder(workspace: Path, images: Images) -> Path:
    return probes_folder(workspace, images.data_sha256, images.train)
