"""What the interface costs and how fast it is: ``python launch.py bench interface``.

Every part starts the app as a user does and looks at it through a real browser.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

from tests.bench import polling, start
from tests.browser.conftest import FLAGS, find_chromium

Part = Callable[[Path, Browser], dict[str, Any]]
PARTS: dict[str, Part] = {"start": start.measure, "polling": polling.measure}


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
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for name in options.parts or PARTS:
            with tempfile.TemporaryDirectory(prefix="bedside-bench-") as home:
                found[name] = PARTS[name](Path(home), browser)
                console.print(name, found[name])
        browser.close()
    if options.json:
        options.json.write_text(json.dumps(found, indent=2), encoding="utf-8")
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="launch.py bench interface", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="only these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
