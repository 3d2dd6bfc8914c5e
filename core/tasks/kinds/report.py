"""Write the report of a run anew, with the runs of other methods beside it."""

from __future__ import annotations

from typing import Any

from core.tasks.base import TASKS, TaskContext


@TASKS.register("report", __name__)
def write_run_report(context: TaskContext) -> dict[str, Any]:
    """Compare a completed run with those of other methods, and write its report.

    The request is ``{"run": id}``.
    """
    from core.assess import refresh_report
    from core.runs.store import RunStore

    run = RunStore(context.workspace).open(context.request["run"])
    context.reporter.phase("report", "Putting the runs of other methods beside it")
    refresh_report(run, context.reporter)
    return {"run": run.id}
