"""What the models page shows: teachers and students at hand, measures, what a pair costs."""

from __future__ import annotations

import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.errors import as_facts
from app.observe import Observer, project_version
from app.worth import describe_worth
from core.errors import BedsideError
from core.estimate import Estimate, Images, estimate, read_images
from core.machine import machine_name
from core.measures import Measures, read_measures, setting_for, teacher_key
from core.objectives.methods import find_method
from core.projects import Project
from core.runs.layout import RunFolder
from core.runs.process import request_stop
from core.runs.status import RunStatus
from core.students.spec import STUDENTS, StudentSpec, students_by_size
from core.teachers.catalogue import AtHand, teachers_at_hand
from core.teachers.consent import accepted_on, needs_consent
from core.teachers.fetch import HOST
from core.teachers.shards import parts_of
from core.teachers.spec import TeacherSpec, teacher_file

SIDES = (64, 96, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512)  # px, proposed
GAVE_WAY = "R80"  # measuring ended because a training began
SHOWN = ("parameters", "megabytes", "multiply_adds", "latency_ms", "latency_low", "latency_high")
Facts = dict[str, Any]
_starting = threading.Lock()
_images: dict[tuple[str, int], Images] = {}  # of the newest project asked for


def describe_choice(observer: Observer) -> Facts:
    """Everything the page shows."""
    project = observer.projects.current()
    if project is None:
        return {"project": None}
    config, setting = project.request, setting_for(project)
    known = read_measures(setting, observer.workspace)
    at_hand = teachers_at_hand(observer.workspace / "teachers", config.teacher.name)
    student = STUDENTS.get(config.student.name)
    images = read_project_images(project)
    method = find_method(config.method.name)
    return {
        "project": {"id": project.id, "title": project.title, "imported": images is not None},
        "chosen": {
            "teacher": config.teacher.name,
            "student": config.student.name,
            "image_px": config.student.image_px,
        },
        "sides": sides_for(student, config.student.image_px),
        "cached_px": config.data.pixels.size_px,
        "teachers": [
            _teacher(observer, name, spec, known) for name, spec in at_hand.teachers.items()
        ],
        "students": [_student(name, config.student.image_px, known) for name in students_by_size()],
        "problems": [as_facts(error) for error in at_hand.problems],
        "images": images and {"train": len(images.train), "validation": len(images.validation)},
        "method": {"title": method.title, "teaches": method.needs_teacher},
        "epochs": config.train.epochs,
        "estimate": _estimate(observer, project, known, at_hand, images),
        "host": HOST,
        "worth": describe_worth(observer, project, at_hand, images),
    } | _measuring(observer, project, known, at_hand, images)


def sides_for(student: StudentSpec, current: int) -> list[int]:
    """Sides of the picture that a student can look at, the current one among them."""
    return sorted({student.nearest_px(side) for side in (*SIDES, student.nearest_px(current))})


def start_measuring(observer: Observer, *, again: bool) -> RunFolder | None:
    """Measure in a process of its own; where that is being done already, by this tab or another.

    Returns:
        The task, or None where there is no project.

    Raises:
        RunError: It could not be started.
    """
    project = observer.projects.current()
    if project is None:
        return None
    wanted: Facts = {"project": project.id, "setting": setting_for(project).key}
    with _starting:
        task = observer.tasks.live("measure", **wanted)
        if task is None:
            task = observer.tasks.start("measure", wanted | {"again": again})
    observer.forget()
    return task


def start_fetching(observer: Observer, name: str) -> RunFolder:
    """Fetch a teacher in a process of its own, once however often it is asked for."""
    with _starting:
        task = observer.tasks.live("fetch", teacher=name)
        if task is None:
            task = observer.tasks.start("fetch", {"teacher": name})
    observer.forget()
    return task


def stop_measuring(observer: Observer) -> None:
    """End measuring under circumstances that no longer hold; what is known stays."""
    task = observer.tasks.live("measure")
    if task is not None:
        request_stop(task)


def _teacher(observer: Observer, name: str, spec: TeacherSpec, known: Measures) -> Facts:
    measured = known.teachers.get(teacher_key(spec), {})
    facts = spec.model_dump(
        mode="json",
        include={"title", "about", "source", "licence", "licence_note", "citation", "gated",
                 "verified", "architecture", "image_px"},
    )  # fmt: skip
    file = _file(spec, observer.workspace / "teachers")
    task = observer.tasks.newest("fetch", teacher=name) if spec.source == "hub" else None
    watch = observer.watch(task).summary() if task else None
    return facts | {
        "id": name,
        "repository": spec.location if spec.source in {"hub", "page"} else "",
        "path": spec.location if spec.source == "file" else "",
        "here": file is not None,
        "consent": needs_consent(spec) and not accepted_on(spec, observer.workspace / "teachers"),
        "bytes": sum(part.stat().st_size for part in parts_of(file)) if file else None,
        "cost": _cost(measured),
        "problem": measured.get("problem") or (watch and not file and watch["failure"]),
        "fetching": watch["id"] if watch and watch["live"] else None,
        "stopped": bool(watch and not file and watch["state"] in {"stopped", "interrupted"}),
    }


def _student(name: str, image_px: int, known: Measures) -> Facts:
    spec = STUDENTS.get(name)
    measured = known.students.get(name, {})
    return {
        "id": name,
        "title": spec.title,
        "family": spec.family,
        "summary": spec.summary,
        "nearest_px": spec.nearest_px(image_px),
        "suits": spec.nearest_px(image_px) == image_px,
        "cost": _cost(measured),
        "problem": measured.get("problem"),
    }


def _cost(measured: Facts) -> Facts | None:
    return {key: measured[key] for key in SHOWN} if "latency_ms" in measured else None


def _file(spec: TeacherSpec, cache: Path) -> Path | None:
    try:
        return teacher_file(spec, cache)
    except BedsideError:
        return None


def _measuring(
    observer: Observer, project: Project, known: Measures, at_hand: AtHand, images: Images | None
) -> Facts:
    """How far measuring is, whether it runs, and whether it should begin by itself."""
    key = setting_for(project).key
    newest = observer.tasks.newest("measure", setting=key)
    watch = observer.watch(newest).summary() if newest else None
    live = bool(watch and watch["live"])
    busy = [
        job for job in observer.live_jobs() if not (live and watch and job["id"] == watch["id"])
    ]
    here = at_hand.here(observer.workspace / "teachers")
    keys = {teacher_key(spec) for spec in here.values()}
    left = len(set(STUDENTS.names()) - known.students.keys()) + len(keys - known.teachers.keys())
    ended = watch["state"] if watch and not live else ""
    failure = watch["failure"] if watch and not live and left else None
    fresh = newest is None and not known.students
    cut_short = bool(failure and failure["code"] == GAVE_WAY)
    return {
        "measured": {
            "key": key,
            "left": left,
            "any": bool(known.students),
            "busy": known.busy,
            "machine": machine_name(),
            "threads": setting_for(project).threads,
        },
        "task": watch["id"] if watch and live else None,
        "ended": ended if ended in {RunStatus.STOPPED, RunStatus.INTERRUPTED} and left else "",
        "failure": failure,
        "others": [job["kind"] for job in busy],
        "begin": images is not None and not busy and (fresh or cut_short),
    }


def _estimate(
    observer: Observer, project: Project, known: Measures, at_hand: AtHand, images: Images | None
) -> Facts | None:
    """What the chosen pair costs, and what should be said about it."""
    config = project.request
    spec = at_hand.teachers.get(config.teacher.name)
    if images is None or spec is None:
        return None
    found: Estimate | None = estimate(config, images, known, spec, observer.workspace)
    if found is None:
        return None
    student, teacher = (
        known.students[config.student.name],
        known.teachers.get(teacher_key(spec), {}),
    )
    smaller = teacher.get("multiply_adds", float("inf")) < student["multiply_adds"]
    return asdict(found) | {"fits": found.fits, "teacher_is_smaller": smaller}


def read_project_images(project: Project) -> Images | None:
    """Which images a project trains on; None before its import."""
    if not project.is_imported:
        return None
    key = (project.id, project_version(project))
    if key not in _images:
        try:
            found = read_images(project)
        except (OSError, ValueError, KeyError):
            return None
        _images.clear()
        _images[key] = found
    return _images.get(key)
