"""Commands about runs: start, watch, stop, list, evaluate, use and delete them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from core.choosing import demo_config
from core.commands.screen import BarReporter, JsonFile, console, follow, write_result
from core.config import load_config, with_absolute_paths
from core.files import read_json, workspace_folder
from core.objectives.methods import find_method
from core.runs.companion import STUDENT_ONLY, companion_of
from core.runs.layout import RunFolder
from core.runs.process import launch, prepare_resume, request_finish, request_stop
from core.runs.starting import extend_run, start_companion
from core.runs.status import RunStatus, status
from core.runs.store import RunStore, disk_used

app = typer.Typer()
RunName = Annotated[str, typer.Argument(help="A run's id, or the beginning of it.")]


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="A configuration file; `config` writes one.")],
    compare: Annotated[
        bool, typer.Option(help="Also train the student alone and put both side by side.")
    ] = False,
    detach: Annotated[bool, typer.Option(help="Start it and return at once.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Train a student as a configuration file says."""
    request = with_absolute_paths(load_config(config), Path.cwd())
    started = RunStore(workspace_folder()).create(request)
    launch(started)
    if detach:
        console.print(f"Started {started.id}")
        write_result(json_file, {"run": started.id, "status": status(started).value})
        return
    _show(_finish(started, compare=compare), json_file)


@app.command()
def resume(name: RunName, json_file: JsonFile = None) -> None:
    """Go on with a run that was stopped, interrupted or failed."""
    found = RunStore(workspace_folder()).open(name)
    prepare_resume(found)
    launch(found)
    _show(_finish(found), json_file)


@app.command()
def extend(
    name: RunName,
    epochs: Annotated[int, typer.Option(help="Passes over the training images to add.")],
    detach: Annotated[bool, typer.Option(help="Start it and return at once.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Go on with a completed run for more passes, as a new run; the first one stays as it is."""
    store = RunStore(workspace_folder())
    started = extend_run(store, store.open(name), epochs)
    if detach:
        console.print(f"Started {started.run.id}")
        write_result(json_file, {"run": started.run.id, "status": status(started.run).value})
        return
    _show(_finish(started.run), json_file)


@app.command()
def compare(
    name: RunName,
    method: Annotated[str, typer.Argument(help="Another method: 'kd', 'drd', ...")] = STUDENT_ONLY,
    json_file: JsonFile = None,
) -> None:
    """Train the same by another method, all else equal, and put both side by side."""
    from core.evaluation.report_pair import verdict_of

    store = RunStore(workspace_folder())
    found = store.open(name)
    find_method(method)
    result = _beside(found, method)
    result["beside"] = companion_of(found, method)
    if result["beside"]:
        result["verdict"] = verdict_of(found, store.open(result["beside"]))
        console.print(result["verdict"], highlight=False)
    _show(result, json_file)


@app.command()
def runs(json_file: JsonFile = None) -> None:
    """List the runs, newest first."""
    store = RunStore(workspace_folder())
    listed = [
        {
            "run": found.id,
            "name": found.name,
            "status": found.status.value,
            "method": found.method,
            "student": found.student,
            "megabytes": round(disk_used(store.open(found.id)) / 1e6, 1),
            "text": found.problem or found.text,
        }
        for found in store.list()
    ]
    table = Table("run", "status", "method", "student", "MB", "", box=None, header_style="dim")
    for line in listed:
        values = [str(line[key]) for key in ("run", "status", "method", "student", "megabytes")]
        table.add_row(*map(escape, [*values, str(line["text"])]))
    console.print(table if listed else "There are no runs yet. `demo` makes one.")
    write_result(json_file, {"runs": listed})


@app.command()
def stop(name: RunName) -> None:
    """Ask a run to finish its step, save and stop."""
    request_stop(RunStore(workspace_folder()).open(name))
    console.print("Asked. It saves first; `resume` goes on with it.")


@app.command()
def finish(name: RunName) -> None:
    """Ask a run to end training now, evaluate its best checkpoint and export it."""
    request_finish(RunStore(workspace_folder()).open(name))
    console.print("Asked. The best checkpoint so far is evaluated and exported.")


@app.command()
def delete(
    name: RunName, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Delete a run with everything in it."""
    store = RunStore(workspace_folder())
    found = store.open(name)
    size = disk_used(found) / 1e6
    if not yes and not typer.confirm(f"Delete {found.id} ({size:,.0f} MB)?"):
        return
    store.delete(found.id)
    console.print(f"Deleted {found.id}")


@app.command()
def report(
    name: RunName,
    open_test: Annotated[
        bool,
        typer.Option(
            "--open-test",
            help="Break the seal of the test set: score it once, with everything frozen. "
            "Every opening is counted and stands in the report.",
        ),
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Write the report of a run; with --open-test, on the sealed test set too."""
    found = RunStore(workspace_folder()).open(name)
    _show(_write_report(found, open_test=open_test), json_file)


@app.command()
def export(
    name: RunName,
    to: Annotated[
        Path | None, typer.Argument(help="Folder to copy to; a new one here if not given.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Copy a run's student and its report to a new folder, the checksums verified."""
    from core.inference.hand_over import choose_target, hand_over

    found = RunStore(workspace_folder()).open(name)
    to = choose_target(str((to or Path(f"{found.id}-student")).absolute()), workspace_folder())
    hand_over(found, to)
    parity = read_json(found.export / "parity.json")
    console.print(
        f"Copied to {to}. Largest difference of the formats {parity['max_difference']:.1e}"
    )
    write_result(json_file, {"run": found.id, "export": str(to), "parity": parity})


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="A run, or the folder of an exported student.")],
    paths: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    csv: Annotated[Path | None, typer.Option(help="Write the table to this file.")] = None,
    onnx: Annotated[bool, typer.Option(help="Use the ONNX file instead of the weights.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Classify images with an exported student."""
    from core.inference.batch import list_images, predict_paths, write_predictions
    from core.inference.predictor import OnnxPredictor, Predictor

    folder = Path(model)
    if not (folder / "model.json").is_file():
        folder = RunStore(workspace_folder()).open(model).export
    predictor = (OnnxPredictor if onnx else Predictor).open(folder)
    with BarReporter() as reporter:
        table = predict_paths(predictor, list_images(paths), reporter)
    shown = Table(*map(escape, table.columns), box=None, header_style="dim")
    for row in table.head(20).itertuples(index=False):
        cells = (f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row)
        shown.add_row(*map(escape, cells))
    console.print(shown)
    if len(table) > 20:
        console.print(f"... and {len(table) - 20} more")
    if csv:
        write_predictions(table, csv)
    write_result(json_file, {"predictions": json.loads(table.to_json(orient="records"))})


@app.command()
def demo(json_file: JsonFile = None) -> None:
    """The whole job on synthetic images: import, train, test, export, predict."""
    from core.demo import lesion_overlap, predict_some

    clock = time.monotonic()
    console.print("[dim]Synthetic images; nothing here is a patient.[/]")
    started = RunStore(workspace_folder()).create(demo_config())
    launch(started)
    _finish(started, compare=True)
    result = _write_report(started, open_test=True)
    with BarReporter() as reporter:
        predictions = predict_some(started, workspace_folder(), reporter)
        reporter.phase("explain", "Comparing heat-maps with the lesions")
        overlap = lesion_overlap(started, workspace_folder())
    result["predictions"] = json.loads(predictions.to_json(orient="records"))
    result["heat_map"] = overlap
    result["seconds"] = round(time.monotonic() - clock, 1)
    console.print(
        f"Of the heat-map {overlap['inside']:.0%} lies on the lesion, which covers "
        f"{overlap['chance']:.0%} of the picture; with random weights it is "
        f"{overlap['untrained']:.0%} ({overlap['images']:.0f} validation images).",
        highlight=False,
    )
    _show(result, json_file)


def _finish(started: RunFolder, *, compare: bool = False) -> dict[str, Any]:
    """Follow a run, then, if asked, the student-only run beside it."""
    console.print(f"Run {started.id} [dim](Ctrl-C leaves it running)[/]", highlight=False)
    if follow(started) is not RunStatus.COMPLETED:
        console.print(f"Stopped. `python launch.py resume {started.id}` goes on.")
        return _facts(started)
    if not compare:
        return _facts(started)
    return _beside(started, STUDENT_ONLY)


def _beside(found: RunFolder, method: str) -> dict[str, Any]:
    """Train a completed run's like by another method; its report then holds both."""
    other = start_companion(RunStore(workspace_folder()), found, method=method)
    if other.new:
        _finish(other.run)  # which writes the report of `found` anew
    return _write_report(found, open_test=False)


def _write_report(found: RunFolder, *, open_test: bool) -> dict[str, Any]:
    from core import assess

    with BarReporter() as reporter:
        if open_test:
            reporter.phase("test", "Scoring the test set")
            assess.open_test(found, reporter)
        reporter.phase("report", "Writing the report")
        assess.refresh_report(found, reporter)
    return _facts(found)


def _facts(found: RunFolder) -> dict[str, Any]:
    """What the results of a run are and where they lie."""
    facts: dict[str, Any] = {"run": found.id, "status": status(found).value}
    page = found.report / "report.html"
    if page.exists():
        facts |= {"report": str(page), "export": str(found.export)}
    metrics: dict[str, dict[str, Any]] = {}
    for split in ("validation", "test"):
        if (found.report / f"{split}.json").exists():
            figures = read_json(found.report / f"{split}.json")["figures"]
            metrics |= {
                f"{split}/{name}": {key: figure[key] for key in ("value", "low", "high", "note")}
                for name, figure in figures.items()
            }
    return facts | {"metrics": metrics}


def _show(result: dict[str, Any], json_file: Path | None) -> None:
    table = Table("", "value", "interval", box=None, header_style="dim")
    for name, figure in ((escape(key), found) for key, found in result["metrics"].items()):
        if figure["value"] is None:
            table.add_row(name, "not computable", figure["note"])
        elif figure["low"] is None:
            table.add_row(name, f"{figure['value']:.3f}", figure["note"])
        else:
            limits = f"{figure['low']:.3f} to {figure['high']:.3f}"
            table.add_row(name, f"{figure['value']:.3f}", limits)
    if result["metrics"]:
        console.print(table)
    for key in ("run", "report", "export", "seconds"):
        if key in result:
            console.print(f"{key:>8}  {result[key]}", highlight=False, soft_wrap=True)
    console.print("[dim]Research use. Not for diagnosis.[/]")
    write_result(json_file, result)
