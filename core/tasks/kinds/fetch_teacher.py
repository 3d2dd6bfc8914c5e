"""Fetch a teacher from the hub, after the user has agreed to this one download."""

from __future__ import annotations

from typing import Any

from core.tasks.base import TASKS, TaskContext


@TASKS.register("fetch", __name__)
def fetch_teacher(context: TaskContext) -> dict[str, Any]:
    """Download one teacher of the catalogue. The request is ``{"teacher": name}``.

    Its licence was shown where the user agreed, which accepts it.
    """
    from core.errors import ConfigError
    from core.teachers.catalogue import list_teachers
    from core.teachers.consent import accept_licence
    from core.teachers.fetch import HOST, fetch_from_hub

    name = context.request["teacher"]
    known = {spec.name: spec for spec in list_teachers() if spec.source == "hub"}
    if name not in known:
        raise ConfigError("C40", "This teacher cannot be fetched", todo="Choose one of the list.")
    context.reporter.phase("fetch", f"Fetching {known[name].title} from {HOST}")
    cache = context.workspace / "teachers"
    fetch_from_hub(known[name], cache, context.reporter)
    accept_licence(known[name], cache)
    return {"teacher": name}
