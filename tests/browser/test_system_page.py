"""The System page: what it counts is true, and it deletes only what nothing uses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from playwright.sync_api import Page, expect

from core.outbound import LEDGER
from tests.browser.conftest import Seen
from tests.browser.serving import AppServer


def ready(page: Page) -> Page:
    expect(page.locator("#system [data-ready=true]")).to_be_visible()
    return page


def test_it_tells_what_this_computer_is_and_that_nothing_left_it(
    app: AppServer, open_page: Callable[..., Page], assert_accessible: Callable[[Page], None]
) -> None:
    page = ready(open_page(app, "/system"))
    expect(page.locator("#left-count")).to_have_text(re.compile(r"^0\s"))
    expect(page.locator("#left .badge")).to_have_text("✓ No")
    for kind in ("These pages", "Trainings", "Imports", "Decoding"):  # all of them were watched
        row = page.locator("#left-rows tr", has_text=kind)
        assert int(row.locator("td").nth(1).inner_text()) >= 1, kind
        expect(row.locator("td").nth(2)).to_have_text("0")
    expect(page.locator("#bedside")).to_contain_text(f"127.0.0.1:{app.port}")
    expect(page.locator("#bedside")).to_contain_text(str(app.workspace))
    assert app.token not in page.content()
    page.locator("#licences summary").click()
    expect(page.locator("#licences")).to_contain_text(f"pydicom{version('pydicom')}MIT")
    expect(page.locator("#licences")).to_contain_text("OFL-1.1")
    expect(page.locator("#notice")).to_contain_text("It is not a medical device")
    expect(page.locator("#disk-kinds")).to_contain_text("Trainings")
    assert_accessible(page)
    page.set_viewport_size({"width": 900, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 900

    page.locator("#check").click()
    expect(page.locator("#check")).to_have_text("Looking at this computer…")
    expect(page.locator("#computer")).to_contain_text("threads", timeout=60_000)
    expect(page.locator("#computer")).to_contain_text("As found by the last check.", timeout=60_000)
    page.reload()
    expect(page.locator("#computer")).to_contain_text("As found by the last check.")


def test_it_hides_nothing_and_deletes_only_what_nothing_uses(
    own_app: AppServer, open_page: Callable[..., Page], seen: Seen
) -> None:
    line = {"ts": "2026-01-01T00:00:00+00:00", "process": "run", "pid": 1,
            "event": "socket.connect", "host": "<img src=x onerror=alert(1)>"}  # fmt: skip
    with (own_app.workspace / LEDGER).open("a") as ledger:
        ledger.write(json.dumps(line) + "\n")
        ledger.write(json.dumps(line | {"process": "fetch", "host": "192.0.2.1"}) + "\n")
    page = open_page(own_app, "/system")
    blocked = {"csp-report": {"violated-directive": "img-src"}}
    page.request.post(f"{own_app.base}/api/csp", data=json.dumps(blocked))
    page.reload()
    ready(page)
    expect(page.locator("#left-count")).to_have_text(re.compile(r"^1\s+connection has"))
    expect(page.locator("#left .badge")).to_have_text("✗ Yes")
    expect(page.locator("#left")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#left")).to_contain_text("for that 1 connections were made")
    expect(page.locator("#left")).to_contain_text("stopped these pages 1 times")

    seen.allow("409", "422")
    (store,) = (own_app.workspace / "features").iterdir()
    (dataset,) = [path for path in (own_app.workspace / "datasets").iterdir() if path.is_dir()]
    expect(page.locator("#disk-items")).to_contain_text("in use")
    expect(page.locator(f'[data-item="datasets/{dataset.name}"]')).to_have_count(0)
    for what, status in (
        ({"kind": "datasets", "name": dataset.name}, 409),
        ({"kind": "features", "name": ".."}, 409),
        ({"kind": "runs", "name": dataset.name}, 422),
    ):  # fmt: skip
        answer = page.request.post(f"{own_app.base}/api/system/delete", data=what)
        assert answer.status == status, what
    button = page.locator(f'[data-item="features/{store.name}"]')
    button.click()
    page.locator("#ask-no").click()
    assert Path(store).exists()
    button.click()
    expect(page.locator("#ask")).to_contain_text("This frees")
    page.locator("#ask-yes").click()
    expect(page.locator("#disk-freed")).to_contain_text("were freed")
    expect(button).to_have_count(0)
    assert not Path(store).exists()
    assert (dataset / "pixels.npy").exists()
