"""What goes wrong around the app, and what its pages make of it (reliability.md f 58, 59)."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.projects import ProjectStore
from core.runs.layout import RunFolder
from core.runs.process import launch, request_stop
from core.runs.status import RunStatus, status
from core.runs.store import RunStore
from tests.browser.conftest import Seen
from tests.browser.prepare import wait_for
from tests.browser.serving import ROOT, AppServer

OpenPage = Callable[..., Page]
COUNTER = (sys.executable, str(ROOT / "tests" / "runs" / "tiny_worker.py"), "count", "20000")
GONE = (  # while there is no server
    "ERR_CONNECTION",
    "ERR_EMPTY_RESPONSE",
    "ERR_CONTENT_LENGTH_MISMATCH",
    "ERR_INCOMPLETE_CHUNKED_ENCODING",
    "Failed to fetch",
)
TABS = 20


@pytest.fixture
def counting(own_app: AppServer) -> Iterator[RunFolder]:
    """A run that goes on for as long as the test takes, and trains nothing."""
    project = ProjectStore(own_app.workspace).current()
    assert project is not None
    run = RunStore(own_app.workspace).create(project.config)
    launch(run, (*COUNTER, "0.05"))
    yield run
    if status(run).is_live:
        request_stop(run)


def points(page: Page) -> int:
    return int(page.locator("#monitor").get_attribute("data-points") or 0)


def grows(page: Page) -> None:
    """The curve goes on."""
    before = points(page)
    page.wait_for_function(
        "(before) => Number(document.getElementById('monitor').dataset.points) > before", arg=before
    )


def test_training_outlives_page_and_server_and_the_curve_has_no_gap(
    own_app: AppServer, open_page: OpenPage, counting: RunFolder, seen: Seen
) -> None:
    """Case 58."""
    page = open_page(own_app, f"/train?run={counting.id}")
    monitor = page.locator("#monitor")
    expect(monitor).to_have_attribute("data-state", "running")
    grows(page)
    shown = points(page)

    seen.allow(*GONE)
    own_app.kill()
    expect(page.locator("#lost")).to_contain_text("No connection to Bedside")
    own_app.start()  # the same page finds it again, by itself
    expect(page.locator("#lost")).to_be_hidden()
    grows(page)
    assert points(page) > shown
    page.context.close()

    other = open_page(own_app, f"/train?run={counting.id}")
    second = open_page(own_app, "/train")
    for tab in (other, second):
        expect(tab.locator("#monitor")).to_have_attribute("data-run", counting.id)
        expect(tab.locator("#monitor")).to_have_attribute("data-state", "running")
        grows(tab)
    second.locator("#run-stop").click()
    for tab in (other, second):
        expect(tab.locator("#monitor")).to_have_attribute("data-state", "stopped")
    rows = other.evaluate(f"fetch('/api/train/run/{counting.id}/rows').then((one) => one.json())")
    steps = [row[1] for row in rows["rows"]]
    written = [json.loads(line) for line in counting.events.read_text().splitlines()]
    assert steps == [event["step"] for event in written if event["type"] == "metric"]
    assert points(other) == points(second) == len(steps)


def test_twenty_tabs_all_work(own_app: AppServer, open_page: OpenPage, counting: RunFolder) -> None:
    """The browser keeps six connections to a server; no tab may hold one."""
    first = open_page(own_app, "/export")
    tabs = [first] + [first.context.new_page() for _ in range(TABS - 2)]
    for tab in tabs[1:]:
        tab.goto(f"{own_app.base}/export", wait_until="commit")
    last = first.context.new_page()
    last.goto(f"{own_app.base}/train")
    expect(last.locator("#monitor")).to_have_attribute("data-state", "running")
    for tab in tabs:
        expect(tab.locator("#chip-job")).to_contain_text("running")
    last.locator("#run-stop").click()
    for tab in (first, tabs[TABS // 2], tabs[-1]):
        tab.bring_to_front()
        expect(tab.locator("#chip-job")).to_be_hidden()
    assert status(counting) is RunStatus.STOPPED


def test_charts_come_though_their_library_was_cut_off(
    own_app: AppServer, open_page: OpenPage, seen: Seen
) -> None:
    """A server that was killed while it sent the library must not cost the page its curves."""
    seen.allow("ERR_FAILED", *GONE)
    page = open_page(own_app, "/export")
    page.route("**/plotly-cartesian.min.js", lambda route: route.abort(), times=1)
    page.goto(f"{own_app.base}/train?run={RunStore(own_app.workspace).list()[0].id}")
    expect(page.locator("#plot-auroc")).to_have_attribute("data-drawn", re.compile("[1-9]"))


def test_run_deleted_elsewhere_is_said_on_every_page(
    own_app: AppServer, open_page: OpenPage, seen: Seen
) -> None:
    seen.allow("409")
    run = RunStore(own_app.workspace).list()[0].id
    page = open_page(own_app, f"/train?run={run}")
    expect(page.locator("#monitor")).to_have_attribute("data-state", "completed")
    shutil.rmtree(own_app.workspace / "runs" / run)
    expect(page.locator("#run-gone")).to_contain_text("deleted elsewhere")
    for path in ("/train", "/test", "/export"):
        page.goto(f"{own_app.base}{path}?run={run}")
        told = page.locator("#page :is(.problem, #run-gone)").first
        expect(told).to_be_visible()
        expect(told).to_contain_text("deleted elsewhere")


def test_two_apps_in_one_browser(
    app: AppServer, empty_app: AppServer, browser: Browser, seen: Seen
) -> None:
    """Case 59: Cookies are shared by the ports of a machine: neither may lock the other out."""
    context = browser.new_context()
    pages = [seen.watch(context.new_page()) for _ in range(2)]
    for page, server in zip(pages, (app, empty_app), strict=True):
        page.goto(server.url)
    for page, server, title in zip(
        pages, (app, empty_app), ("Tiny lesions", "No images yet"), strict=True
    ):
        page.goto(f"{server.base}/system")
        expect(page.locator("#chip-project")).to_contain_text(title)
    context.close()


def test_locked_page_says_what_to_do(app: AppServer, browser: Browser) -> None:
    page = browser.new_page()
    answer = page.goto(app.base + "/train")
    assert answer is not None
    assert answer.status == 403
    expect(page.locator("body")).to_contain_text("Open it with the link in the window")
    page.goto(app.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Data")
    page.context.close()


def test_full_disk_is_said_before_anything_is_lost(
    prepared: Path, tmp_path: Path, open_page: OpenPage, seen: Seen
) -> None:
    """1 MB is free and 256 are kept back: training is refused, and goes on once there is space."""
    shutil.copytree(prepared, tmp_path / "workspace", dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "workspace" / "features")
    app = AppServer(tmp_path / "workspace", tmp_path / "audit", BEDSIDE_TEST_FREE="1000000")
    try:
        page = open_page(app, "/train")
        expect(page.locator("#train-preset input")).to_have_count(3)
        if page.locator("#train-card.folded").count():
            page.locator("#train-fold").click()
        page.locator("#train-start").click()
        monitor = page.locator("#monitor")
        expect(monitor).to_have_attribute("data-state", "failed", timeout=60_000)
        problem = page.locator("#run-trouble .problem")
        expect(problem.locator("code")).to_have_text("E02")
        expect(problem).to_contain_text("Free some disk space")
        page.reload()
        expect(problem).to_be_visible()  # it stays
        run = RunStore(app.workspace).open(str(monitor.get_attribute("data-run")))
        page.close()
    finally:
        app.stop()
    app = AppServer(tmp_path / "workspace", tmp_path / "audit")  # space has been made
    try:
        page = open_page(app, f"/train?run={run.id}")
        page.locator("#run-resume").click()
        expect(page.locator("#monitor")).to_have_attribute("data-state", "running", timeout=60_000)
        wait_for(run)
        expect(page.locator("#monitor")).to_have_attribute("data-state", "completed")
        page.close()
    finally:
        app.stop()
