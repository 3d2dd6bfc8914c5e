"""The command about data: read a folder, divide its patients, write the import report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from core.commands.screen import BarReporter, JsonFile, console, write_result
from core.config import DataSettings, RunConfig, SplitSettings, load_config, with_absolute_paths
from core.data.attention import attention
from core.data.listing import listed_files, write_listing
from core.data.manifest import read_paths
from core.errors import ConfigError, SplitError
from core.files import private_folder, read_json, workspace_folder

app = typer.Typer()
MARKS = {"error": "red", "warning": "yellow", "info": "dim"}


@app.command()
def data(
    source: Annotated[
        str, typer.Argument(help="Folder of images, 'demo', or a configuration file.")
    ],
    title: Annotated[str, typer.Option(help="Title of the report.")] = "",
    report: Annotated[
        Path | None,
        typer.Option(help="Where the report is written; in the workspace if not given."),
    ] = None,
    table: Annotated[str, typer.Option(help="Label table inside the folder.")] = "",
    pattern: Annotated[
        str, typer.Option(help="Pattern whose first group is the patient in a file's name.")
    ] = "",
    new_split: Annotated[
        bool, typer.Option("--new-split", help="Divide anew even if the data propose a division.")
    ] = False,
    save_split: Annotated[
        Path | None, typer.Option(help="Also write the division, as .json or .csv.")
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option(help="Also list the files the findings are about, WITH THEIR NAMES (CSV)."),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Show thumbnails of copies and look-alikes.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Read a folder of images, divide its patients, and write the import report."""
    config = _config(source, table, pattern, title, new_split=new_split)
    workspace = workspace_folder()
    folder = private_folder(workspace / "imports" / config.sha256[:16])
    problem = _import(config, workspace, folder)
    found: dict[str, Any] = read_json(folder / "findings.json")
    page = _write_page(found, config, folder, report or folder / "import.html", pictures=pictures)
    _write_more(found, workspace, folder, save_split if problem is None else None, files)
    _show(found, page)
    result = {"report": str(page), "findings": found, "attention": attention(found)}
    write_result(json_file, result)
    if problem is not None:
        raise problem


def _config(source: str, table: str, pattern: str, title: str, *, new_split: bool) -> RunConfig:
    """The request: a configuration file, or a folder with what the options say about it."""
    if source.endswith(".json"):
        if table or pattern:
            raise ConfigError(
                "C17",
                "A configuration file already says how the data are read",
                todo="Change them there, or name the folder instead.",
            )
        config = load_config(Path(source))
    else:
        more: dict[str, Any] = {"labels": "csv", "table": table} if table else {}
        settings = DataSettings(source=source, patient_pattern=pattern, **more)
        config = RunConfig(data=settings, name=title[:60] or "Images")
    if new_split:
        split = config.split.model_dump() | {"origin": "new", "file": ""}
        config = config.model_copy(update={"split": SplitSettings(**split)})
    return with_absolute_paths(config, Path.cwd())


def _import(config: RunConfig, workspace: Path, folder: Path) -> SplitError | None:
    """Import into `folder`; a division that is impossible comes back, for after the report."""
    from core.importing import import_images

    try:
        with BarReporter() as reporter:
            import_images(config, workspace, folder, reporter)
    except SplitError as error:
        return error
    return None


def _write_page(
    found: dict[str, Any], config: RunConfig, folder: Path, target: Path, *, pictures: bool
) -> Path:
    from core.data.cache import PixelCache
    from core.data.manifest import open_dataset
    from core.data.thumbnails import thumbnail_addresses
    from core.evaluation.report_import import listed_images, write_import_report

    shown = None
    if pictures:
        dataset = open_dataset(folder, workspace_folder())
        cache = PixelCache(dataset.folder)
        shown = thumbnail_addresses(dataset.images, cache, listed_images(found))
    return write_import_report(found, config.name, target, shown)


def _write_more(
    found: dict[str, Any],
    workspace: Path,
    folder: Path,
    save_split: Path | None,
    files: Path | None,
) -> None:
    from core.data.manifest import open_dataset
    from core.data.split_file import save_parts

    if save_split is None and files is None:
        return
    dataset = open_dataset(folder, workspace)
    if save_split is not None:
        save_parts(save_split, dataset.images)
        console.print(f"   split  {save_split}", highlight=False, soft_wrap=True)
    if files is not None:
        rows = listed_files(found, dataset.images, read_paths(dataset.folder))
        count = write_listing(rows, files)
        console.print(f"   files  {files} ({count} rows)", highlight=False, soft_wrap=True)


def _show(found: dict[str, Any], page: Path) -> None:
    totals, division = found["totals"], found["division"]
    for item in attention(found):
        line = Text.assemble((item["title"], MARKS[item["level"]]), ". ", item["text"])
        console.print(line, soft_wrap=True)
    if "sentence" in division:
        console.print(Text(division["sentence"]), soft_wrap=True)
    console.print(
        f"{totals['usable']:,} of {totals['found']:,} images can be used; {totals['ignored']:,} "
        "other files were passed over.",
        highlight=False,
    )
    console.print(f"  report  {page}", highlight=False, soft_wrap=True)
    console.print("[dim]Research use. Not for diagnosis.[/]")
