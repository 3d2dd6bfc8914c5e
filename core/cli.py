"""The command line: every command, one failure sentence, one exit code."""

from __future__ import annotations

import os
import sys

import typer

from core.commands import data, jobs, probe, teachers, tools
from core.commands.screen import console
from core.errors import BedsideError
from core.files import workspace_folder
from core.outbound import watch_connections

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # only `fetch` may leave the machine, in a child

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Distil a medical foundation model into a small classifier on your own images. "
    "Research use. Not for diagnosis.",
)
app.add_typer(data.app)
app.add_typer(jobs.app)
app.add_typer(probe.app)
app.add_typer(teachers.app)
app.add_typer(tools.app)


def main() -> None:
    """Run one command; a failure is one sentence and exit code 1."""
    try:
        watch_connections(workspace_folder(), "command")
        app(prog_name="launch.py")
    except BedsideError as error:
        console.print(error.sentence, style="red", highlight=False, soft_wrap=True, markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("\nLeft. A run that was started goes on; `runs` shows it.")
        sys.exit(130)


if __name__ == "__main__":
    main()
