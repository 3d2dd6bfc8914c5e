"""Import a project's images and divide its patients."""

from __future__ import annotations

from typing import Any

from core.tasks.base import TASKS, TaskContext


@TASKS.register("import", __name__)
def import_project(context: TaskContext) -> dict[str, Any]:
    """Read the images of a project, or open them if nothing changed, and divide them.

    The request is ``{"project": id}``. The project then holds the manifest with its split.
    """
    from core.data.manifest import save_manifest
    from core.data.scan import import_dataset
    from core.data.split import check_split, split_images
    from core.files import write_json
    from core.projects import ProjectStore

    project = ProjectStore(context.workspace).open(context.request["project"])
    config = project.config
    dataset = import_dataset(config.data, context.workspace, context.reporter)
    save_manifest(dataset, project.folder)  # shown even if the patients cannot be divided
    context.reporter.phase("split", "Dividing the patients")
    split = split_images(dataset.images, dataset.task, config.split)
    dataset = dataset.with_images(split.applied(dataset.images))
    check_split(dataset.images)
    save_manifest(dataset, project.folder)
    facts = {"sha256": split.sha256, "sentence": split.sentence, "notes": split.notes}
    settings = config.split.model_dump(mode="json")
    write_json(project.folder / "split.json", facts | {"settings": settings})
    return {"dataset": dataset.id, "usable": len(dataset.usable())}
