"""A teacher's file of the user's: looked at, then taken in with the user's answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.tasks.base import TASKS, TaskContext


@TASKS.register("recognise", __name__)
def recognise_teacher(context: TaskContext) -> dict[str, Any]:
    """Say what a file is. The request is ``{"path": file or folder}``.

    Returns:
        The fields of `core.teachers.recognise.Proposal`.
    """
    from core.teachers.recognise import recognise

    context.reporter.phase("recognise", "Looking at the names and shapes in the file")
    found = recognise(Path(context.request["path"]), context.workspace / "teachers")
    return found.as_facts()


@TASKS.register("adopt", __name__)
def adopt_teacher(context: TaskContext) -> dict[str, Any]:
    """Take a file in. The request is ``{"path": file or folder, "answers": {...}}``.

    Returns:
        ``teacher``: the path by which runs name it.
    """
    from core.teachers.adopt import adopt, read_answers
    from core.teachers.recognise import recognise

    cache, place = context.workspace / "teachers", Path(context.request["path"])
    answers = read_answers(context.request["answers"])
    context.reporter.phase("recognise", "Looking at the names and shapes in the file")
    proposal = recognise(place, cache)
    context.reporter.phase("adopt", "Reading its weights and keeping a copy")
    return {"teacher": adopt(place, proposal, answers, cache).location}
