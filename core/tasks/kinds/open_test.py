"""Open the sealed test set of a run, on purpose."""

from __future__ import annotations

from typing import Any

from core.tasks.base import TASKS, TaskContext


@TASKS.register("open_test", __name__)
def open_sealed(context: TaskContext) -> dict[str, Any]:
    """Score the test set with everything frozen, count the opening, and write the report anew.

    The request is ``{"run": id}``.

    Raises:
        RunError: R31, the run is not complete.
        DataError: I09, the images changed; the seal is whole then.
    """
    from core import assess
    from core.runs.seal import openings
    from core.runs.store import RunStore

    run = RunStore(context.workspace).open(context.request["run"])
    context.reporter.phase("test", "Scoring the test set")
    assess.open_test(run, context.reporter)
    context.reporter.phase("report", "Writing the report")
    assess.refresh_report(run, context.reporter)
    return {"run": run.id, "openings": len(openings(run))}
