"""What the interface costs and how fast it is: ``python launch.py bench interface``.

Every part starts the app as a user does and looks at it through a real browser. Without names, all
parts are measured, which takes about ten minutes, most of them the newcomer's training.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.table import Table

from tests.bench import newcomer, pictures, polling, start
from tests.browser.conftest import FLAGS, fill, find_chromium

Part = Callable[[Path, Browser], dict[str, Any]]


class Figure(NamedTuple):
    """One line of the table: which figure, and what it may be at most (True: what it has to be)."""

    part: str
    name: str
    title: str
    most: float | bool | None = None


FIGURES = (
    Figure("start", "first_paint_s", "Warm start to first paint, s", 4.0),
    Figure("start", "interactive_s", "Warm start to use, s"),
    Figure("polling", "poll_cpu_ms", "Server time of a poll, 10,000 steps, ms", 5.0),
    Figure("polling", "poll_bytes", "Bytes of a poll", 2000),
    Figure("polling", "tabs_cpu_share", "Server with 20 tabs, cores", 0.2),
    Figure("polling", "idle_cpu_share", "Server with none, cores"),
    Figure("polling", "zoom_kept", "Zoom kept over ten updates", True),
    Figure("window", "window_ms", "Window change at 512 x 512, ms", 16.0),
    Figure("thumbnails", "first_screen_s", "First screen of 10,000 thumbnails, s", 1.0),
    Figure("newcomer", "minutes", "From start to a prediction of one's own student, min", 6.0),
    Figure("newcomer", "clicks", "Clicks on the way", 8),
)


def _window(home: Path, browser: Browser) -> dict[str, Any]:
    return pictures.measure_window(home, browser, fill(home))


PARTS: dict[str, Part] = {
    "start": start.measure,
    "polling": polling.measure,
    "thumbnails": pictures.measure_thumbnails,
    "window": _window,
    "newcomer": newcomer.measure,
}


def main(arguments: list[str]) -> int:
    """Measure what is asked for, show it as a table, write it as JSON."""
    options = _options(arguments)
    console = Console()
    found: dict[str, Any] = {}
    with sync_playwright() as playwright:
        program = find_chromium(playwright.chromium.executable_path)
        if program is None:
            console.print("No Chromium was found; install it or set BEDSIDE_CHROMIUM to its path.")
            return 1
        for name in options.parts or PARTS:
            with (
                console.status(f"Measuring: {name}"),
                tempfile.TemporaryDirectory(prefix="bedside-bench-") as home,
            ):
                browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
                found[name] = PARTS[name](Path(home), browser)
                browser.close()
            if options.json:  # a part that fails does not take the others with it
                options.json.write_text(json.dumps(found, indent=2), encoding="utf-8")
    found["busy"] = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    console.print(table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2), encoding="utf-8")
    return 0


def table(found: dict[str, Any]) -> Table:
    """The figures that were promised, beside what was promised."""
    shown = Table(title=f"The interface, on {os.cpu_count()} cores")
    for head in ("Figure", "Measured", "At most", ""):
        shown.add_column(head, justify="left" if head in ("Figure", "") else "right")
    for figure in FIGURES:
        if figure.part not in found:
            continue
        value = found[figure.part][figure.name]
        good = figure.most is None or (
            value is True if figure.most is True else value <= figure.most
        )
        most = "" if figure.most is None or figure.most is True else f"{figure.most:g}"
        said = ("yes" if value else "no") if isinstance(value, bool) else f"{value:g}"
        mark = "" if figure.most is None else "[green]kept[/]" if good else "[red]missed[/]"
        shown.add_row(figure.title, said, most, mark)
    return shown


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="launch.py bench interface", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}; the parts are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
