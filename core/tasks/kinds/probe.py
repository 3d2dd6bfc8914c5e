"""Probe the teachers at hand on a project's training images, for the models page."""

from __future__ import annotations

from typing import Any

from core.tasks.base import TASKS, TaskContext


@TASKS.register("probe", __name__)
def probe(context: TaskContext) -> dict[str, Any]:
    """Probe every teacher at hand that has not been probed on these images.

    The request is ``{"project": id}``. Every teacher's result is kept as soon as it is there.
    """
    import torch

    from core.data.manifest import open_dataset
    from core.machine import choose_threads
    from core.probes import may_be_probed
    from core.probing import probe_teachers
    from core.projects import ProjectStore
    from core.teachers.catalogue import teachers_at_hand

    project = ProjectStore(context.workspace).open(context.request["project"])
    torch.set_num_threads(choose_threads(project.config.device.threads))
    dataset = open_dataset(project.folder, context.workspace)
    at_hand = teachers_at_hand(context.workspace / "teachers", project.config.teacher.name)
    here = may_be_probed(at_hand, context.workspace / "teachers")
    found = probe_teachers(dataset, project.config, here, context.workspace, context.reporter)
    return {"teachers": len(found.teachers)}
