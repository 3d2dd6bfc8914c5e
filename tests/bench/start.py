"""How long a warm start takes: from the start of the process to the first paint and to use."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.serving import ROOT, AppServer

REPEATS = 5
PAINTED = """() => {
  const found = performance.getEntriesByName('first-contentful-paint')[0];
  return found ? performance.timeOrigin + found.startTime : null;
}"""
ANSWERED = """() => {
  const load = performance.getEntriesByType('navigation')[0];
  return load.responseStart ? performance.timeOrigin + load.responseStart : null;
}"""
# the frame is filled from the server's state, and the page's own content is there to be used
USABLE = """() => {
  const button = document.querySelector('#page button:not([disabled]), #page input, #page a');
  const box = button?.getBoundingClientRect();
  const told = document.querySelector('.rail [aria-current=page]');
  return box && box.width > 0 && told ? performance.timeOrigin + performance.now() : false;
}"""


def measure(home: Path, browser: Browser) -> dict[str, Any]:
    """Start the app `REPEATS` times on one workspace and watch its first page appear.

    Args:
        home: A folder for this measurement.
        browser: A running browser; what it has cached from the start before stays cached.
    """
    server = AppServer(home / "workspace", home / "audit")
    context = browser.new_context()
    context.request.get(server.url)
    context.new_page().goto(server.base)
    server.stop()
    cold, warm = browser.new_context(), context
    rounds = [_one(server, cold)] + [_one(server, warm) for _ in range(REPEATS)]
    cold.close()
    warm.close()
    found = {name: median(one[name] for one in rounds[1:]) for name in rounds[0]}
    return found | {"empty_cache": rounds[0], "repeats": REPEATS}


def _one(server: AppServer, context: BrowserContext) -> dict[str, float]:
    page = context.new_page()
    began = time.time()
    process = start_app(server)
    try:
        listening = wait_for_card(server, process)
        page.goto(server.url, wait_until="commit")
        answered = _moment(page, ANSWERED)
        painted = _moment(page, PAINTED)
        usable = _moment(page, USABLE)
    finally:
        process.terminate()
        process.wait(20)
        page.close()
    return {
        "listening_s": round(listening - began, 3),
        "answering_s": round(answered - began, 3),
        "first_paint_s": round(painted - began, 3),
        "interactive_s": round(usable - began, 3),
    }


def start_app(server: AppServer) -> subprocess.Popen[bytes]:
    """By ``launch.py``, as a user; in a working copy that was not set up by it, without it."""
    ready = (ROOT / ".venv" / "bedside.json").exists()
    program = ["launch.py"] if ready else ["-m", "app.main"]
    return subprocess.Popen(
        [sys.executable, *program, "--no-browser", "--port", str(server.port)],
        cwd=ROOT, env=server.environment(), stdout=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for_card(server: AppServer, process: subprocess.Popen[bytes]) -> float:
    """When the app listened; its link is known from then on."""
    card, deadline = server.workspace / "server.json", time.time() + 60
    while process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            if json.loads(card.read_text(encoding="utf-8"))["port"] == server.port:
                return time.time()
        time.sleep(0.005)
        assert time.time() < deadline, "the app did not start"
    raise AssertionError("the app ended at once")


def _moment(page: Page, script: str) -> float:
    found = page.wait_for_function(script, timeout=60_000, polling=10).json_value()
    return float(found) / 1000
