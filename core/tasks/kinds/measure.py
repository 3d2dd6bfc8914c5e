"""Measure the students, and the teachers whose file is here, for the cards of the models page."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.tasks.base import TASKS, TaskContext

if TYPE_CHECKING:
    from core.measures import Measures, Setting
    from core.projects import Project

Facts = dict[str, Any]
LOOK_S = 0.5  # how long what other programs do is watched
USUAL_MAPS = [(512, 7, 7)] * 4  # where the chosen teacher cannot be measured


@TASKS.register("measure", __name__)
def measure(context: TaskContext) -> dict[str, Any]:
    """Measure what is not measured yet, the project's own choice first.

    The request is ``{"project": id, "setting": key, "again": bool}``; the key only tells tasks
    apart, and `again` forgets what is known. Every figure is kept as soon as it is there.
    """
    started = time.monotonic()
    import psutil
    import torch

    import core.measuring  # noqa: F401  that this takes seconds is one of the measurements
    from core.measures import Measures, read_measures, setting_for, write_measures
    from core.projects import ProjectStore
    from core.types import Stopped

    start_s = time.monotonic() - started
    project = ProjectStore(context.workspace).open(context.request["project"])
    setting = setting_for(project)
    torch.set_num_threads(setting.threads)
    known = read_measures(setting, context.workspace)
    again = bool(context.request.get("again"))
    known = Measures(
        start_s,
        max(psutil.cpu_percent(LOOK_S) / 100, 0.0 if again else known.busy),
        {} if again else known.students,
        {} if again else known.teachers,
    )
    work = _work(project, setting, known, context.workspace)
    context.reporter.phase("measure", "Measuring on this computer")
    for done, step in enumerate(work):
        context.reporter.progress(done, len(work))
        if context.reporter.stop_requested():
            raise Stopped
        _require_quiet(context.workspace)
        step()
        write_measures(known, setting, context.workspace)
    context.reporter.progress(len(work), len(work))
    return {"students": len(known.students), "teachers": len(known.teachers)}


def _work(
    project: Project, setting: Setting, known: Measures, workspace: Path
) -> list[Callable[[], None]]:
    """What is left to do, in order: the chosen teacher, the students, the other teachers."""
    from core.measures import teacher_key
    from core.measuring import measure_student, measure_teacher
    from core.students.spec import students_by_size
    from core.teachers.catalogue import teachers_at_hand

    config, cache = project.config, workspace / "teachers"
    teachers = teachers_at_hand(cache, config.teacher.name).here(cache)
    chosen = teachers.get(config.teacher.name, next(iter(teachers.values())))

    def maps() -> list[tuple[int, int, int]]:
        found = known.teachers[teacher_key(chosen)].get("maps")
        return [(deep, high, wide) for deep, high, wide in found] if found else USUAL_MAPS

    def student(name: str) -> Callable[[], None]:
        return lambda: _keep(known.students, name, lambda: measure_student(name, setting, maps()))

    def teacher(key: str) -> Callable[[], None]:
        spec = by_key[key]
        return lambda: _keep(known.teachers, key, lambda: measure_teacher(spec, setting, cache))

    first = teacher_key(chosen)
    by_key = {first: chosen} | {teacher_key(spec): spec for spec in teachers.values()}
    names = sorted(students_by_size(), key=lambda name: name != config.student.name)
    left = [key for key in by_key if key not in known.teachers]
    return [
        *[teacher(key) for key in left if key == first],
        *[student(name) for name in names if name not in known.students],
        *[teacher(key) for key in left if key != first],
    ]


def _keep(known: dict[str, Facts], name: str, measured: Callable[[], Facts]) -> None:
    """Keep what was measured, or why that is not possible: one bad file costs one card."""
    from core.errors import BedsideError

    try:
        known[name] = measured()
    except BedsideError as error:
        facts = {"code": error.code, "what": error.what, "item": error.item, "todo": error.todo}
        known[name] = {"problem": facts}


def _require_quiet(workspace: Path) -> None:
    """A training beside it would make every figure too large, and would itself be slowed."""
    from core.errors import RunError
    from core.runs.store import RunStore

    if any(line.status.is_live for line in RunStore(workspace).list()):
        raise RunError(
            "R80",
            "Measuring ended early, because a training has begun",
            todo="What was measured is kept; measure the rest when the training is over.",
        )
