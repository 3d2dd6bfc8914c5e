"""Copy a run's hand-over folder to where the user wants it."""

from __future__ import annotations

from typing import Any

from core.tasks.base import TASKS, TaskContext


@TASKS.register("hand_over", __name__)
def hand_over_run(context: TaskContext) -> dict[str, Any]:
    """Copy the student of a run, its card and its report, the checksums verified.

    The request is ``{"run": id, "folder": path}``.
    """
    from core.inference.hand_over import choose_target, hand_over
    from core.runs.store import RunStore

    run = RunStore(context.workspace).open(context.request["run"])
    target = choose_target(context.request["folder"], context.workspace)
    context.reporter.phase("copy", "Copying and verifying the files")
    return {"run": run.id, "files": hand_over(run, target)}
