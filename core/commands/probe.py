"""The command that compares the teachers at hand on the user's own images."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from core.commands.screen import BarReporter, JsonFile, console, write_result
from core.config import DataSettings, RunConfig
from core.files import workspace_folder

if TYPE_CHECKING:
    from core.data.manifest import Dataset
    from core.probes import Facts, Probes
    from core.types import Reporter

app = typer.Typer()


@app.command()
def probe(
    source: Annotated[
        str,
        typer.Argument(help="Folder of labelled images, 'demo', or a project; else the open one."),
    ] = "",
    json_file: JsonFile = None,
) -> None:
    """Is a teacher worth distilling? Probe every teacher at hand on the training images."""
    import torch

    from core.machine import choose_threads
    from core.probes import may_be_probed
    from core.probing import probe_teachers
    from core.teachers.catalogue import teachers_at_hand

    workspace = workspace_folder()
    with BarReporter() as reporter:
        config, dataset = _images(source, reporter)
        torch.set_num_threads(choose_threads(config.device.threads))
        at_hand = teachers_at_hand(workspace / "teachers", config.teacher.name)
        here = may_be_probed(at_hand, workspace / "teachers")
        found = probe_teachers(dataset, config, here, workspace, reporter)
    console.print(_table(found))
    console.print(Text(found.told(), "dim"))
    write_result(json_file, asdict(found))


def _images(source: str, reporter: Reporter) -> tuple[RunConfig, Dataset]:
    """The request and the divided images of a project, or of a folder that is read for it."""
    from core.data.manifest import open_dataset
    from core.data.scan import import_dataset
    from core.data.split import split_images
    from core.projects import ProjectStore

    workspace = workspace_folder()
    store = ProjectStore(workspace)
    named = [project for project in store.list() if source in {project.id, project.title}]
    project = named[0] if named else None if source else store.current()
    if project and project.is_imported:
        return project.config, open_dataset(project.folder, workspace)
    settings = DataSettings(source=source or "demo")
    config = project.config if project else RunConfig(data=settings)
    dataset = import_dataset(config.data, workspace, reporter)
    split = split_images(dataset.images, dataset.task, config.split)
    return config, dataset.with_images(split.applied(dataset.images))


def _table(found: Probes) -> Table:
    table = Table(
        "teacher", "linear probe", "nearest neighbours", "behind the best", "time",
        title="Is it worth distilling?", box=None, header_style="dim",
    )  # fmt: skip
    for key, facts in found.sorted():
        if "problem" in facts:
            table.add_row(facts["title"], Text(facts["problem"]["what"], "red"))
            continue
        behind = found.behind.get(key)
        table.add_row(
            facts["title"],
            _words(facts["linear"]["auroc"]),
            _words(facts["neighbours"]["auroc"]),
            _words(behind) if behind else "",
            f"{sum(facts['seconds'].values()):.0f} s",
        )
    return table


def _words(figure: Facts) -> str:
    if figure["value"] is None:
        return str(figure["note"])
    interval: Any = (
        "" if figure["low"] is None else f" ({figure['low']:.3f} to {figure['high']:.3f})"
    )
    return f"{figure['value']:.3f}{interval}"
