"""Import a project's images and divide its patients, or divide them again."""

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
    last and look at no file. The project then holds the manifest with its split.
    """
    from core.data.manifest import save_manifest
    from core.errors import RunError
    from core.files import write_json
    from core.projects import ProjectStore

    store = ProjectStore(context.workspace)
    project = store.open(context.request["project"])
    config = project.config
    dataset = _dataset(context, project)
    if store.open(project.id).config.data != config.data:
        todo = "Read the images again."
        raise RunError("R52", "The settings were changed while the images were read", todo=todo)
    (project.folder / "split.json").unlink(missing_ok=True)
    save_manifest(dataset, project.folder)  # shown even if the patients cannot be divided
    context.reporter.phase("split", "Dividing the patients")
    from core.data.split import check_split, split_images  # scikit-learn: a second or two

    split = split_images(dataset.images, dataset.task, config.split)
    dataset = dataset.with_images(split.applied(dataset.images))
    check_split(dataset.images)
    save_manifest(dataset, project.folder)
    facts = {"sha256": split.sha256, "sentence": split.sentence, "notes": split.notes}
    settings = config.split.model_dump(mode="json")
    write_json(project.folder / "split.json", facts | {"settings": settings})
    return {"dataset": dataset.id, "usable": len(dataset.usable())}


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
