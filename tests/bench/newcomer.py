"""The newcomer's clock: from starting the app to a trained demo student that looks at an image."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.bench.start import start_app, wait_for_card
from tests.browser.serving import AppServer
from tests.browser.walk import Mouse, look_at_image, train, wait_for_division

HOUR_MS = 3_600_000


def measure(home: Path, browser: Browser) -> dict[str, Any]:
    """Do what the buttons suggest, as a scripted user who reads nothing and never waits.

    Args:
        home: A folder for this measurement; the workspace in it is empty.
        browser: A running browser that has never seen the app.
    """
    server = AppServer(home / "workspace", home / "audit", start=False)
    hand, laps = Mouse(), {}
    began = time.monotonic()
    process = start_app(server)
    try:
        wait_for_card(server, process)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(60_000)
        page.goto(server.url)
        for name, act in (
            ("images_read", _open_demo), ("models_chosen", _choose), ("trained", _train),
            ("predicted", _predict),
        ):  # fmt: skip
            act(page, hand)
            laps[f"{name}_s"] = round(time.monotonic() - began, 1)
        page.context.close()
    finally:
        process.terminate()
        process.wait(20)
        server.clear()
    return {"minutes": round(laps["predicted_s"] / 60, 2), "clicks": hand.clicks} | laps


def _open_demo(page: Page, hand: Mouse) -> None:
    hand.press(page.locator("#demo"))
    wait_for_division(page)


def _choose(page: Page, hand: Mouse) -> None:
    hand.press(page.get_by_role("link", name="Next: choose the models"))
    hand.press(page.locator("#go-on"))


def _train(page: Page, hand: Mouse) -> None:
    expect(page.locator("#train-preset input:checked")).to_have_count(1, timeout=60_000)
    train(page, hand)


def _predict(page: Page, hand: Mouse) -> None:
    hand.press(page.locator("#run-test"))
    look_at_image(page, hand)
