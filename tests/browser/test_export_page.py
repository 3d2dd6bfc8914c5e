"""The Export page: what is handed over is whole, agrees, and goes nowhere it should not."""

from __future__ import annotations

import io
import os
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from core.files import sha256_file
from core.inference.hand_over import MARKER
from core.runs.layout import RunFolder
from core.runs.store import RunStore
from tests.browser.conftest import Seen
from tests.browser.serving import AppServer


def run_of(app: AppServer, method: str) -> RunFolder:
    store = RunStore(app.workspace)
    return store.open(next(line.id for line in store.list() if line.method == method))


def ready(page: Page) -> Page:
    expect(page.locator("#export [data-ready=true]")).to_be_visible()
    return page


def test_the_student_can_be_taken_away(
    own_app: AppServer,
    open_page: Callable[..., Page],
    assert_accessible: Callable[[Page], None],
    seen: Seen,
    tmp_path: Path,
) -> None:
    seen.allow("409")
    run, alone = run_of(own_app, "rd"), run_of(own_app, "student_only")
    page = ready(open_page(own_app, "/export"))
    expect(page.locator("#export-run")).to_have_value(run.id)  # not its yardstick
    expect(page.locator("#parity")).to_have_attribute("data-state", "agrees")
    expect(page.locator("#parity")).to_contain_text("They agree")
    expect(page.locator("#parity")).to_contain_text("0.0001 is allowed")
    expect(page.locator(".export-student")).to_contain_text("Tiny teacher")
    expect(page.locator(".export-student")).to_contain_text("Apache-2.0. Free to use.")
    expect(page.locator(".export-files")).to_contain_text(sha256_file(run.export / "model.onnx"))
    expect(page.locator("[data-step=export]")).not_to_have_class(re.compile("done"))
    assert_accessible(page)

    for typed, code in (("student", "X10"), (str(tmp_path), "X11"), (f"{tmp_path}/no/way", "X13"),
                        (str(own_app.workspace / "x"), "X14")):  # fmt: skip
        page.locator("#export-folder").fill(typed)
        page.locator("#export-copy").click()
        expect(page.locator("#export-refused [role=alert]")).to_contain_text(code)
        expect(page.locator("#export-folder")).to_have_value(typed)
    target = tmp_path / "given away" / "wörk"
    target.parent.mkdir()
    page.locator("#export-folder").fill(str(target))
    page.locator("#export-folder").press("Enter")
    expect(page.locator("#export-copied")).to_contain_text(
        "Copied and verified: 6 files", timeout=60_000
    )
    expect(page.locator("#export-refused [role=alert]")).to_have_count(0)
    expect(page.locator("[data-step=export]")).to_have_class(re.compile("done"))
    assert {file.name for file in target.iterdir()} == {
        "model.onnx", "model.safetensors", "model.json", "README.txt", "parity.json", "report.html",
    }  # fmt: skip
    page.reload()
    expect(page.locator("#export-copied")).to_contain_text(str(target))

    page.locator("#export-run").select_option(alone.id)
    expect(page).to_have_url(re.compile(f"run={alone.id}"))
    expect(page.locator(".export-student")).to_contain_text("it learned from the labels alone")
    with page.expect_download() as download:
        page.locator("#export-zip").click()
    content = Path(download.value.path()).read_bytes()
    assert download.value.suggested_filename == f"{alone.id}-student.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        packed = archive.read(f"{alone.id}-student/model.onnx")
        assert packed == (alone.export / "model.onnx").read_bytes()
    assert (alone.path / MARKER).exists()

    with (alone.export / "model.onnx").open("ab") as opened:  # changed after it was compared
        opened.write(b"x")
    page.set_viewport_size({"width": 900, "height": 800})
    page.reload()
    expect(page.locator("#parity")).to_have_attribute("data-state", "damaged")
    expect(page.locator("#parity [role=alert]")).to_contain_text("M42")
    expect(page.locator("#export-zip")).to_be_hidden()
    answer = page.request.get(f"{own_app.base}/api/export/{alone.id}/zip")
    assert (answer.status, answer.json()["error"]["code"]) == (409, "M42")
    assert page.evaluate("document.documentElement.scrollWidth") <= 900
    for name in ("..%2f..%2fsite.key", "20260101-000000-none-0000", "x"):
        for part in ("zip", "report"):
            assert page.request.get(f"{own_app.base}/api/export/{name}/{part}").status in (404, 409)
    page.goto(f"{own_app.base}/export?run=20260101-000000-none-0000")
    expect(page.locator("#export-problem [role=alert]")).to_contain_text("R01")
    expect(page.locator("#export-run")).to_have_value(run.id)


def test_the_report_opens_by_itself_and_can_be_written_anew(
    own_app: AppServer, open_page: Callable[..., Page]
) -> None:
    run = run_of(own_app, "rd")
    report = run.report / "report.html"
    page = ready(open_page(own_app, f"/export?run={run.id}"))
    expect(page.locator("#export-stale p")).to_have_count(0)
    with page.expect_popup() as opened:
        page.locator("#export-report").click()
    shown = opened.value
    expect(shown.locator("h1")).to_be_visible()
    answer = page.request.get(f"{own_app.base}/api/export/{run.id}/report")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "sandbox" in policy.split("; ")
    assert "script-src" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    shown.close()

    before = time.time() - 3600  # figures came after the report was written
    os.utime(report, (before, before))
    page.reload()
    expect(page.locator("#export-stale")).to_contain_text("Figures have been added")
    page.locator("#export-write").click()
    expect(page.locator("#export-stale p")).to_have_count(0, timeout=90_000)
    expect(page.locator("#export-write")).to_be_enabled(timeout=60_000)
    assert report.stat().st_mtime > before + 3000


def test_before_anything_is_finished_it_says_what_to_do(
    empty_app: AppServer,
    open_page: Callable[..., Page],
    assert_accessible: Callable[[Page], None],
) -> None:
    page = open_page(empty_app, "/export")
    expect(page.locator("#export-empty")).to_contain_text("First choose your images")
    assert_accessible(page)
