"""Commands about teachers: those at hand, fetching one, taking in a file, licences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from core.commands.screen import JsonFile, console, write_result
from core.files import workspace_folder

app = typer.Typer()


@app.command()
def teachers(json_file: JsonFile = None) -> None:
    """List the teachers at hand, their licences and where they come from."""
    from core.teachers.catalogue import list_teachers

    table = Table("name", "title", "source", "licence", "", box=None, header_style="dim")
    listed = list_teachers()
    for spec in listed:
        table.add_row(spec.name, spec.title, spec.source, spec.licence, spec.about)
    console.print(table)
    write_result(json_file, {"teachers": [spec.model_dump(mode="json") for spec in listed]})


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A teacher whose source is the hub.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Download one teacher from the hub: the only command that leaves this machine."""
    from core.teachers.catalogue import find_teacher
    from core.teachers.consent import accept_licence
    from core.teachers.fetch import fetch_from_hub

    spec = find_teacher(name)
    console.print(f"{spec.title}: {spec.licence}. {spec.licence_note}", highlight=False)
    question = f"Fetch {spec.location} from huggingface.co? Nothing of yours is sent."
    if not yes and not typer.confirm(question):
        return
    cache = workspace_folder() / "teachers"
    with console.status("Fetching"):
        fetch_from_hub(spec, cache)
    accept_licence(spec, cache)
    console.print("Fetched. It is used without a network from now on.")


@app.command()
def accept(
    name: Annotated[str, typer.Argument(help="A teacher, or the path of its file.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Accept the conditions of a teacher's licence, once."""
    from core.teachers.catalogue import find_teacher
    from core.teachers.consent import accept_licence

    spec = find_teacher(name)
    console.print(f"{spec.title}: {spec.licence}. {spec.licence_note}", highlight=False)
    if yes or typer.confirm("Accept these conditions?"):
        day = accept_licence(spec, workspace_folder() / "teachers")
        console.print(f"Accepted on {day[:10]}.")


@app.command()
def teacher(
    place: Annotated[Path, typer.Argument(help="A file of weights, or a folder with one.")],
    name: Annotated[str, typer.Option(help="Short name for it.")] = "",
    like: Annotated[str, typer.Option(help="An entry of the catalogue it is like.")] = "",
    mean: Annotated[str, typer.Option(help="One or three numbers, with commas.")] = "",
    std: Annotated[str, typer.Option(help="One or three numbers, with commas.")] = "",
    image_px: Annotated[int | None, typer.Option(help="Side of the picture.")] = None,
    activation: Annotated[str, typer.Option(help="'gelu', 'quick_gelu' or 'gelu_tanh'.")] = "",
    heads: Annotated[int | None, typer.Option(help="Heads of a vision transformer.")] = None,
    licence: Annotated[str, typer.Option(help="Short name of its licence.")] = "",
    licence_note: Annotated[str, typer.Option(help="What it means for a student.")] = "",
    accepted: Annotated[
        bool, typer.Option("--accept", help="You accept the licence; the file is taken in.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Say what a teacher's file is; with --accept and what is lacking, take it in."""
    from core.teachers.adopt import adopt, read_answers
    from core.teachers.recognise import recognise

    cache = workspace_folder() / "teachers"
    proposal = recognise(place, cache)
    _show(proposal.as_facts())
    result: dict[str, Any] = {"proposal": proposal.as_facts()}
    if accepted:
        answers = {
            "name": name, "like": like, "mean": _numbers(mean), "std": _numbers(std),
            "image_px": image_px, "activation": activation, "heads": heads, "licence": licence,
            "licence_note": licence_note, "accepted": True,
        }  # fmt: skip
        spec = adopt(place, proposal, read_answers(answers), cache)
        console.print(f"Kept as {spec.location}", highlight=False, soft_wrap=True)
        console.print("Name this path as the teacher of a run to use it.")
        result["teacher"] = spec.location
    write_result(json_file, result)


def _show(found: dict[str, Any]) -> None:
    table = Table(box=None, show_header=False)
    table.add_row("Format", found["format_title"])
    table.add_row("Network", f"{found['architecture']}, {found['parameters'] / 1e6:,.0f} M")
    table.add_row("Options", ", ".join(f"{k} {v}" for k, v in found["options"].items()) or "none")
    table.add_row("Picture", f"{found['image_px']} px, {found['in_chans']} channel(s)")
    table.add_row("Matched", f"{found['share']:.1%} of its parameters")
    table.add_row("Missing", ", ".join(found["missing"]) or "nothing")
    if found["said_by"]:
        table.add_row("Mean, std", f"{found['mean']}, {found['std']} ({found['said_by']})")
    table.add_row("Cannot be read from it", ", ".join(found["unknown"]))
    table.add_row("Like", ", ".join(found["like"]) or "no entry of the catalogue")
    console.print(table)


def _numbers(text: str) -> list[float] | None:
    """Three numbers of one or three that were typed."""
    from core.errors import ConfigError

    if not text:
        return None
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) not in {1, 3}:
        raise ConfigError("C45", "One or three numbers are needed", item=text,
                          todo="For instance 0.485,0.456,0.406.")  # fmt: skip
    return found * (3 // len(found))
