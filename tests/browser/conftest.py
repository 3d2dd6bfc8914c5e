"""What the browser tests share: the app on a prepared workspace, one browser, watched pages.

Set ``BEDSIDE_PREPARED=FOLDER`` to keep the prepared workspace between sessions while working on a
page; ``BEDSIDE_CHROMIUM`` names another browser than the one found.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.serving import ROOT, AppServer

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
PATIENCE_MS = 15_000  # five helpers may share two cores
VIOLATIONS = """async () => {
  const found = await axe.run(document, {resultTypes: ['violations']});
  return found.violations.map((rule) =>
    `${rule.id}: ${rule.help}\\n` + rule.nodes.map((node) => `    ${node.html.slice(0, 200)}
      ${node.failureSummary}`).join('\\n'));
}"""
STILL = "*, *::before, *::after { transition: none !important; animation: none !important; }"


class Seen:
    """What pages did that they should not have: errors, requests that leave the machine.

    A test that provokes an error says so before: ``seen.allow("409")``.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._allowed: list[str] = []

    def allow(self, *parts: str) -> None:
        """Take no offence at complaints that contain one of `parts`."""
        self._allowed += parts

    def watch(self, page: Page) -> Page:
        """Listen to a page from now on."""
        page.on("console", lambda said: said.type == "error" and self._note("console", said.text))
        page.on("pageerror", lambda error: self._note("page error", str(error)))
        page.on("request", lambda asked: self._address(asked.url))
        page.on("websocket", lambda opened: self._note("web socket", opened.url))
        page.on("response", lambda answer: answer.status >= 400 and self._note(
            f"HTTP {answer.status}", answer.url))  # fmt: skip
        return page

    def check(self) -> None:
        """Fail if there was anything."""
        left = [said for said in self.problems if not any(part in said for part in self._allowed)]
        assert not left, "\n".join(left)

    def _address(self, url: str) -> None:
        if not re.match(r"(http://(127\.0\.0\.1|localhost|\[::1\]):\d+/|data:|blob:|about:)", url):
            self._note("left the machine", url)
        if url.endswith("/api/csp"):
            self._note("blocked by the content policy", url)

    def _note(self, what: str, text: str) -> None:
        self.problems.append(f"{what}: {re.sub(r'token=[^&]*', 'token=...', text)}")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a tiny project and two finished runs; copied, never served itself."""
    kept = os.environ.get("BEDSIDE_PREPARED")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # by all processes
    folder = Path(kept).resolve() if kept else shared / "prepared"
    with FileLock(shared / "prepared.lock"):
        return fill(folder)


def fill(folder: Path, *options: str) -> Path:
    """Run ``tests.browser.prepare``, unless that was done; returns the workspace."""
    if not (folder / "ready").exists():
        done = subprocess.run(
            [sys.executable, "-m", "tests.browser.prepare", str(folder), *options],
            cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=300, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        (folder / "ready").touch()
    return folder / "workspace"


@pytest.fixture(scope="session")
def app(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """The app over the prepared workspace. What a test changes in it, it puts back."""
    home = tmp_path_factory.mktemp("served")
    shutil.copytree(prepared, home / "workspace")
    yield from serve(home / "workspace", home / "audit")


@pytest.fixture
def own_app(prepared: Path, tmp_path: Path) -> Iterator[AppServer]:
    """The same for a test that changes so much that it needs one of its own."""
    shutil.copytree(prepared, tmp_path / "workspace", dirs_exist_ok=True)
    yield from serve(tmp_path / "workspace", tmp_path / "audit")


@pytest.fixture
def empty_app(tmp_path: Path) -> Iterator[AppServer]:
    """The app as it is at its very first start."""
    yield from serve(tmp_path / "workspace", tmp_path / "audit")


def serve(workspace: Path, audit: Path) -> Iterator[AppServer]:
    """Run the app; at the end it must have left the machine alone."""
    server = AppServer(workspace, audit)
    try:
        yield server
    finally:
        server.clear()
    assert "app.main" in audit.with_suffix(".seen").read_text(), "the audit hook was not in"
    assert not audit.exists(), audit.read_text()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        program = find_chromium(playwright.chromium.executable_path)
        if program is None:
            missing = "no Chromium was found; install it or set BEDSIDE_CHROMIUM to its path"
            if os.environ.get("CI", "").lower() in ("true", "1"):
                pytest.fail(missing)
            pytest.skip(missing)
        opened = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield opened
        opened.close()


def find_chromium(bundled: str) -> str | None:
    """The browser to test with: the named one, the system's, Playwright's own."""
    named = os.environ.get("BEDSIDE_CHROMIUM")
    if named:
        return named if Path(named).exists() else None
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in (*found, bundled) if path and Path(path).exists()), None)


@pytest.fixture
def seen() -> Iterator[Seen]:
    """What the pages of this test did wrong; judged at its end."""
    found = Seen()
    yield found
    found.check()


@pytest.fixture
def open_page(browser: Browser, seen: Seen) -> Iterator[Callable[..., Page]]:
    """Open ``open_page(app, "/train?run=...")`` in a browser profile of its own.

    Further named arguments go to Playwright's ``new_context``.
    """
    contexts = []

    def opened(app: AppServer, path: str = "/", **options: Any) -> Page:
        settings = {"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce"}
        context = browser.new_context(**settings | options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.request.get(app.url, max_redirects=0)  # hands out the cookie
        page = seen.watch(context.new_page())
        page.goto(app.base + path)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def page(app: AppServer, open_page: Callable[..., Page]) -> Page:
    """A page that has entered `app` and shows *Data*."""
    return open_page(app)


@pytest.fixture(scope="session")
def assert_accessible() -> Callable[[Page], None]:
    """``assert_accessible(page)``: axe finds nothing, neither in light nor in dark."""
    script = AXE.read_text(encoding="utf-8")

    def check(page: Page) -> None:
        page.add_style_tag(content=STILL)
        page.evaluate(script)
        was_dark = page.evaluate("document.body.classList.contains('dark')")
        for dark in (not was_dark, was_dark):
            page.evaluate("(dark) => document.body.classList.toggle('dark', dark)", dark)
            page.evaluate("() => new Promise((done) => setTimeout(done, 60))")
            found = page.evaluate(VIOLATIONS)
            theme = "dark" if dark else "light"
            assert not found, f"{page.url} ({theme})\n" + "\n".join(found)

    return check
