"""What the terminal shows: bars with time left, a run as it goes, results as JSON."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from core.errors import RunError
from core.files import write_json
from core.runs.events import EventTail
from core.runs.layout import RunFolder
from core.runs.status import RunStatus, status
from core.types import AlertLevel, SilentReporter

POLL_S = 0.3
console = Console(width=None if sys.stdout.isatty() else 120)  # a log file has no width
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")]
MARKS = {"info": "dim", "warning": "yellow", "error": "red"}


def progress_bars() -> Progress:
    """Bars as every command shows them: what, how far, time left (when done: time spent)."""
    return Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("[dim]{task.fields[note]}[/]"),
        console=console,
    )


def follow(run: RunFolder) -> RunStatus:
    """Show a run until it ends. Leaving (Ctrl-C) does not end it.

    Args:
        run: A run that was launched.

    Returns:
        Its last status: completed or stopped.

    Raises:
        RunError: It failed (with its own code and sentence) or was interrupted (R32).
    """
    tail = EventTail(run.events)
    with progress_bars() as bars:
        screen = _Screen(bars)
        while True:
            state = status(run)  # before the look: what comes after it is seen in the next round
            for event in tail.new():
                screen.show(event)
            if not state.is_live and state is not RunStatus.CREATED:
                break
            time.sleep(POLL_S)
        screen.end_phase()
    if state is RunStatus.FAILED:
        last = screen.last
        raise RunError(
            str(last.get("code", "R99")),
            str(last.get("what", "The run failed")),
            item=str(last.get("item", "")),
            todo=str(last.get("todo", "")),
        )
    if state is RunStatus.INTERRUPTED:
        raise RunError(
            "R32",
            "The run's process ended without a word",
            item=run.id,
            todo=f"`python launch.py resume {run.id}` goes on from its last checkpoint.",
        )
    return state


class BarReporter(SilentReporter):
    """A `Reporter` that draws one bar per phase; use it in a ``with`` block."""

    def __init__(self) -> None:
        self._bars = progress_bars()
        self._screen = _Screen(self._bars)
        self._stop = False

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._screen.end_phase()
        self._bars.stop()

    def ask_to_stop(self) -> None:
        """Note a signal to stop."""
        self._stop = True

    def stop_requested(self) -> bool:
        """Whether one came."""
        return self._stop

    def phase(self, name: str, text: str) -> None:
        """Begin a new bar."""
        self._screen.begin_phase(text)

    def progress(self, done: int, total: int) -> None:
        """Move the bar."""
        self._screen.move(done, total)

    def alert(self, level: AlertLevel, code: str, text: str) -> None:
        """Print the sentence above the bars."""
        self._screen.tell(level, code, text)


class _Screen:
    """One bar per phase, sentences above them."""

    def __init__(self, bars: Progress) -> None:
        self.last: dict[str, Any] = {}
        self._bars = bars
        self._task: TaskID | None = None

    def show(self, event: dict[str, Any]) -> None:
        """Take in one event of a run."""
        kind = event["type"]
        if kind == "phase":
            self.begin_phase(str(event["text"]))
        elif kind == "progress":
            self.move(event["done"], event["total"])
        elif kind == "metric" and event["name"] == "validation/auroc" and event["value"]:
            self.note(f"validation AUROC {event['value']:.3f}")
        elif kind == "alert":
            self.tell(event["level"], event["code"], event["text"])
        elif kind == "queued":
            self.tell("warning", "", event.get("text", "Waiting for the device"))
        elif kind in {"failed", "stopped", "completed"}:
            self.last = event

    def begin_phase(self, text: str) -> None:
        self.end_phase()
        self._task = self._bars.add_task(text, total=None, note="")
        if not self._bars.console.is_terminal:  # where bars are drawn only at their end
            self._bars.console.print(f"{time.strftime('%H:%M:%S')} {text}", style="dim")

    def move(self, done: int, total: int) -> None:
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total)

    def note(self, text: str) -> None:
        if self._task is not None:
            self._bars.update(self._task, note=text)

    def tell(self, level: str, code: str, text: str) -> None:
        line = Text.assemble((code, MARKS.get(level, "dim")), " " if code else "", text)
        self._bars.console.print(line, soft_wrap=True)

    def end_phase(self) -> None:
        """Fill the current bar."""
        if self._task is not None:
            task = next(task for task in self._bars.tasks if task.id == self._task)
            total = task.total or 1
            self._bars.update(self._task, total=total, completed=total)
        self._task = None


def write_result(file: Path | None, content: Any) -> None:
    """Write what ``--json`` asks for."""
    if file is not None:
        write_json(file, content)
