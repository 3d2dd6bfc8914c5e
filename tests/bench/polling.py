"""What a monitored run costs the server: a poll, twenty tabs; and whether zoom survives updates."""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from playwright.sync_api import Browser, Page

from core.projects import ProjectStore
from core.runs.layout import RunFolder
from core.runs.process import launch, request_stop
from core.runs.store import RunStore
from tests.bench.talker import STEPS
from tests.browser.serving import ROOT, AppServer

POLLS, EVERY_S = 30, 1.0
TABS, WATCH_S = 20, 20.0
UPDATES = 10
LAUNCH = (sys.executable, str(ROOT / "tests" / "bench" / "talker.py"))
VIEW = """() => {
  const plot = document.getElementById('plot-loss');
  const {xaxis, yaxis} = plot.layout;
  return {drawn: Number(plot.dataset.drawn), x: [...xaxis.range], y: [...yaxis.range]};
}"""


class Poller:
    """Asks as a page does, over one kept connection."""

    def __init__(self, server: AppServer, run: RunFolder) -> None:
        self._connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._cookie = {"cookie": f"bedside-{server.port}={server.token}"}
        self._run = run.id
        self.since = 0

    def ask(self) -> tuple[int, dict[str, Any]]:
        """Bytes of the answer, and what it says of the run."""
        path = f"/api/live?run={self._run}&since={self.since}"
        self._connection.request("GET", path, headers=self._cookie)
        body = self._connection.getresponse().read()
        told: dict[str, Any] = json.loads(body)["run"]
        self.since = told["since"] + len(told["rows"])
        return len(body), told


def measure(home: Path, browser: Browser) -> dict[str, Any]:
    """Watch a run of 10,000 steps that goes on, by hand and through a browser."""
    workspace = home / "workspace"
    project = ProjectStore(workspace).for_source("demo")
    run = RunStore(workspace).create(project.config.model_copy(update={"name": "Long run"}))
    server = AppServer(workspace, home / "audit")
    launch(run, LAUNCH)
    try:
        _wait(Poller(server, run))
        found = _poll(server, run)
        found |= _zoom(server, run, browser)
        return found | _tabs(server, run)
    finally:
        request_stop(run)
        server.clear()


def _wait(poller: Poller) -> None:
    deadline = time.monotonic() + 120
    while poller.ask()[1]["done"] < STEPS:
        assert time.monotonic() < deadline, "the log is not written"
        time.sleep(0.2)


def _poll(server: AppServer, run: RunFolder) -> dict[str, Any]:
    process, poller = psutil.Process(server.pid), Poller(server, run)
    idle = _share(process)
    began = time.perf_counter()
    first, _ = poller.ask()
    first_s = time.perf_counter() - began
    points, sizes = poller.since, []
    before, since = _cpu_s(process), time.monotonic()
    for _ in range(POLLS):
        time.sleep(EVERY_S)
        sizes.append(poller.ask()[0])
    spent = _cpu_s(process) - before - idle * (time.monotonic() - since)
    return {
        "idle_cpu_share": idle,
        "steps": STEPS,
        "points": points,
        "poll_cpu_ms": round(1000 * spent / POLLS, 2),
        "poll_bytes": int(median(sizes)),
        "poll_bytes_most": max(sizes),
        "whole_run_bytes": first,
        "whole_run_s": round(first_s, 3),
    }


def _zoom(server: AppServer, run: RunFolder, browser: Browser) -> dict[str, Any]:
    page = _open(server, run, browser)
    plot = page.locator("#plot-loss")
    plot.scroll_into_view_if_needed()
    page.wait_for_function("Number(document.getElementById('plot-loss').dataset.drawn) > 0")
    box = page.locator("#plot-loss .nsewdrag").bounding_box()
    assert box is not None
    across, down = box["width"], box["height"]
    page.mouse.move(box["x"] + 0.4 * across, box["y"] + 0.3 * down)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * across, box["y"] + 0.7 * down, steps=5)
    page.mouse.up()
    page.wait_for_function("!document.querySelector('#plot-loss').layout.xaxis.autorange")
    page.wait_for_timeout(1500)
    views = [page.evaluate(VIEW)]
    while len(views) <= UPDATES:
        drawn = "(before) => Number(document.getElementById('plot-loss').dataset.drawn) !== before"
        page.wait_for_function(drawn, arg=views[-1]["drawn"], timeout=30_000)
        views.append(page.evaluate(VIEW))
    page.context.close()
    kept = all(view["x"] == views[0]["x"] and view["y"] == views[0]["y"] for view in views)
    return {"zoom_updates": UPDATES, "zoom_kept": kept, "zoom_x": views[0]["x"]}


def _tabs(server: AppServer, run: RunFolder) -> dict[str, Any]:
    """Twenty tabs that are all in sight, each asking once a second what a page asks.

    They ask without drawing, since the drawing of twenty would slow the server they are to load.
    """
    process = psutil.Process(server.pid)
    ended = threading.Event()

    def ask(place: int) -> int:
        poller, asked = Poller(server, run), 0
        time.sleep(place / TABS)
        while not ended.wait(EVERY_S):
            poller.ask()
            asked += 1
        return asked

    with ThreadPoolExecutor(TABS) as pool:
        tabs = [pool.submit(ask, place) for place in range(TABS)]
        time.sleep(2 * EVERY_S)  # all have loaded the whole run
        share = _share(process)
        ended.set()
        asked = sum(tab.result() for tab in tabs)
    return {"tabs": TABS, "tabs_cpu_share": share, "tabs_asked": asked}


def _share(process: psutil.Process) -> float:
    before, began = _cpu_s(process), time.monotonic()
    time.sleep(WATCH_S)
    return round((_cpu_s(process) - before) / (time.monotonic() - began), 3)


def _open(server: AppServer, run: RunFolder, browser: Browser) -> Page:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    context.request.get(server.url, max_redirects=0)
    page = context.new_page()
    page.goto(f"{server.base}/train?run={run.id}")
    return page


def _cpu_s(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)
