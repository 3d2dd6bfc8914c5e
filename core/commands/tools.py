"""Commands about students, this machine, pre-training and the benchmarks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from core.choosing import Choice, choose_settings, demo_config
from core.commands.screen import BarReporter, JsonFile, console, write_result
from core.config import DataSettings, RunConfig
from core.data.discover import list_folder
from core.data.readers.base import image_suffixes
from core.files import workspace_folder, write_text
from core.machine import likely_device
from core.signals import stop_on_signal
from core.types import Stopped

app = typer.Typer()


@app.command()
def config(
    source: Annotated[str, typer.Argument(help="Folder of images, or 'demo'.")] = "demo",
    file: Annotated[Path | None, typer.Argument(help="Where to write it.")] = None,
) -> None:
    """Write a complete configuration with the reasons, to be edited and given to `run`."""
    plain = RunConfig(name="my run", data=DataSettings(source=source))
    if source == "demo":
        plain = demo_config().model_copy(update={"name": "my run"})
    images = count_images(Path(source))
    share = 1 - plain.split.validation - plain.split.test
    device = likely_device(plain.device.accelerator)
    choice = choose_settings(plain, round(share * images), device)
    text = choice.config.to_json()
    _explain(choice)
    if file is None:
        console.print_json(text)
        return
    write_text(file, text + "\n")
    console.print(f"Wrote {file}. Edit what you like, then: python launch.py run {file}")


def _explain(choice: Choice) -> None:
    """Print the reasons to where they do not mix with the configuration."""
    table = Table("setting", "value", "why", box=None, header_style="dim")
    for reason in choice.reasons:
        table.add_row(reason.field, str(reason.value), reason.sentence)
    Console(stderr=True).print(table)


def count_images(source: Path) -> int:
    """About how many images a folder holds, by the names of its files; 0 if it is none."""
    if not source.is_dir():
        return 0
    suffixes = tuple(image_suffixes())
    return sum(name.casefold().endswith(suffixes) for name, _, _ in list_folder(source).facts)


@app.command()
def students(
    image_px: Annotated[int, typer.Option(help="Side of the input picture.")] = 224,
    json_file: JsonFile = None,
) -> None:
    """List the students and what each costs on this machine."""
    from core.students.cost import measure_cost
    from core.students.spec import STUDENTS

    names = STUDENTS.names()
    costs = {}
    with BarReporter() as reporter:
        reporter.phase("cost", "Measuring the students on this machine")
        for done, name in enumerate(names, start=1):
            costs[name] = measure_cost(name, 2, image_px)
            reporter.progress(done, len(names))
    table = Table("name", "", "parameters", "MB", "ms/image", "", box=None, header_style="dim")
    for name, cost in costs.items():
        spec = STUDENTS.get(name)
        size, latency = f"{cost.parameters / 1e6:.1f} M", f"{cost.latency_ms:.1f}"
        table.add_row(name, spec.title, size, f"{cost.megabytes:.0f}", latency, spec.summary)
    console.print(table)
    write_result(json_file, {"students": {name: asdict(cost) for name, cost in costs.items()}})


@app.command()
def check(json_file: JsonFile = None) -> None:
    """Versions, devices, disk, and whether anything would leave this machine."""
    from core.check import check_machine

    facts = check_machine()
    environment = facts["environment"]
    table = Table(box=None, show_header=False)
    table.add_row("System", f"{environment['system']} {environment['system_release']}")
    table.add_row("Python", environment["python"])
    for name, sentence in facts["devices"].items():
        table.add_row(f"Device {name}", sentence)
    table.add_row("Memory", f"{facts['memory'] / 1e9:.0f} GB")
    table.add_row("Disk free", f"{facts['disk']['free'] / 1e9:.0f} GB")
    table.add_row("Workspace", f"{facts['disk']['workspace'] / 1e6:,.0f} MB")
    attempts = sum(facts["connections"]["attempts"].values())
    table.add_row("Connections that left this machine", str(attempts))
    if facts["proxies"]:
        table.add_row("Proxy set", f"{', '.join(facts['proxies'])}: only `fetch` would use it")
    for name, found in environment["packages"].items():
        table.add_row(name, found)
    console.print(table)
    write_result(json_file, facts)


@app.command()
def pretrain(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Folders of images; labels are optional.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the teacher's file.")] = "my-teacher",
    recipe: Annotated[
        Path | None,
        typer.Option(help="A recipe; its folders, where it has any, lie in the one given."),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Where the teacher is written.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the images.")] = 24,
    batch: Annotated[int, typer.Option(min=4, help="Images per step.")] = 192,
    scenes: Annotated[
        int,
        typer.Option(
            min=0, help="Computer-made pictures of tissue and lesions in every step, too."
        ),
    ] = 0,
    threads: Annotated[int, typer.Option(min=0, help="Processor threads; 0 for all.")] = 0,
    json_file: JsonFile = None,
) -> None:
    """Train a teacher on folders of images. Interrupted, the same command goes on."""
    import torch

    from core.machine import choose_threads
    from core.pretraining import folder_recipe, read_recipe, run_recipe
    from core.teachers.pretrain_recipe import PretrainSettings

    torch.set_num_threads(threads or choose_threads(0))
    if recipe is not None:
        wanted = read_recipe(recipe, folders[0] if folders else Path())
    else:
        settings = PretrainSettings(
            name=name, title=name, epochs=epochs, batch=batch, scenes=scenes
        )
        wanted = folder_recipe(folders or [], settings)
    target = to or workspace_folder() / "teachers"
    with BarReporter() as reporter, stop_on_signal(reporter.ask_to_stop):
        try:
            spec = run_recipe(wanted, target, workspace_folder(), reporter)
        except Stopped as stopped:
            console.print("Stopped. The same command goes on.")
            raise typer.Exit(1) from stopped
    file = target / spec.location
    console.print(f"Wrote {file} and its card.", highlight=False, soft_wrap=True)
    console.print("Name this path as the teacher of a run to use it.")
    write_result(json_file, {"teacher": str(file), "sha256": spec.sha256})


@app.command()
def bench(
    what: Annotated[str, typer.Argument(help="'speed', 'teacher', 'import' or 'accuracy'.")],
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Labelled images, for 'teacher' and 'accuracy'.")
    ] = None,
    scale: Annotated[
        bool,
        typer.Option(
            "--scale",
            help="What takes long: for 'import' also 100,000 images, for 'accuracy' the full grid "
            "(on a graphics card).",
        ),
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Measure: 'speed' of a step, what a 'teacher' knows, costs of an 'import', 'accuracy'.

    'accuracy' takes hours: with --json it adds a row to the file for every run, and goes on where
    the file ends.
    """
    from core.benchmarks.base import BENCHMARKS, ResumedBenchmark

    benchmark = BENCHMARKS.get(what)
    with BarReporter() as reporter:
        if json_file is not None and isinstance(benchmark, ResumedBenchmark):
            result = benchmark.resume(reporter, folders or [], json_file, scale=scale)
        else:
            result = benchmark.measure(reporter, folders or [], scale=scale)
            write_result(json_file, result)
    console.print(benchmark.table(result))
