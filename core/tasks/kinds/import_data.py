"""Import a project's images, divide its patients, and say what was found."""

from __future__ import annotations

from typing import Any

from core.tasks.base import TASKS, TaskContext


@TASKS.register("import", __name__)
def import_project(context: TaskContext) -> dict[str, Any]:
    """Read the images of a project, or open them if nothing changed, and divide them.

    The request is ``{"project": id}``. The project then holds the manifest with its split, and
    ``findings.json`` for the import report, the latter even if the patients cannot be divided.
    """
    from core.importing import import_images
    from core.projects import ProjectStore

    project = ProjectStore(context.workspace).open(context.request["project"])
    config, folder = project.config, project.folder
    dataset, found = import_images(config, context.workspace, folder, context.reporter)
    warnings = sum(each["warning"] for each in found["shortcuts"])
    return {"dataset": dataset.id, "usable": len(dataset.usable()), "shortcuts": warnings}
