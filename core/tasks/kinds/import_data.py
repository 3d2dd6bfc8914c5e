"""Import a project's images and divide its patients, or divide them again; say what was found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.tasks.base import TASKS, TaskContext

if TYPE_CHECKING:
    from core.data.manifest import Dataset
    from core.projects import Project


@TASKS.register("import", __name__)
def import_project(context: TaskContext) -> dict[str, Any]:
    """Read the images of a project, or open them if nothing changed, and divide them.

    The request is ``{"project": id}``, with ``"decoded": true`` to divide the images that were read
    last and look at no file. The project then holds the manifest with its split, and
    ``findings.json`` for the import report, the latter even if the patients cannot be divided.
    """
    from core.errors import RunError
    from core.projects import ProjectStore

    store = ProjectStore(context.workspace)
    project = store.open(context.request["project"])
    dataset = _dataset(context, project)
    if store.open(project.id).config.data != project.config.data:
        todo = "Read the images again."
        raise RunError("R52", "The settings were changed while the images were read", todo=todo)
    from core.importing import divide_images  # scikit-learn: a second or two

    dataset, found = divide_images(dataset, project.config, project.folder, context.reporter)
    warnings = sum(each["warning"] for each in found["shortcuts"])
    return {"dataset": dataset.id, "usable": len(dataset.usable()), "shortcuts": warnings}


def _dataset(context: TaskContext, project: Project) -> Dataset:
    """The images of a project, with what lists of projects say of them."""
    from core.data.cache import PixelCache
    from core.data.manifest import open_dataset
    from core.data.scan import import_dataset

    if context.request.get("decoded"):
        dataset = open_dataset(project.folder, context.workspace)
        PixelCache(dataset.folder)  # there, and whole
    else:
        dataset = import_dataset(project.config.data, context.workspace, context.reporter)
    return replace(dataset, facts={"patients": int(dataset.usable()["patient"].nunique())})
