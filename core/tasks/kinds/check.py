"""Look at this computer with torch: the devices that the pages cannot see without it."""

from __future__ import annotations

from typing import Any

from core.tasks.base import TASKS, TaskContext


@TASKS.register("check", __name__)
def check_computer(context: TaskContext) -> dict[str, Any]:
    """What `python launch.py check` tells. The request is empty."""
    from core.check import check_machine

    context.reporter.phase("check", "Looking at this computer")
    return check_machine()
