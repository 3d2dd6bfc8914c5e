"""What stands on every page."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.text.shell import NOTICE, STEPS
from tests.browser.serving import AppServer


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.key)
def test_every_page_stands_in_its_frame(
    app: AppServer, open_page: Callable[..., Page], assert_accessible: Callable[[Page], None],
    step: object,
) -> None:  # fmt: skip
    page = open_page(app, step.path)
    expect(page.get_by_role("heading", level=1)).to_have_text(step.title)
    expect(page.locator(".rail [aria-current=page]")).to_have_attribute("data-step", step.key)
    expect(page.locator(".rail .notice")).to_have_text(NOTICE)
    expect(page.locator("#chip-project")).to_contain_text("Tiny lesions")
    assert_accessible(page)


def test_on_a_narrow_screen_the_frame_leaves_room(
    app: AppServer, open_page: Callable[..., Page], assert_accessible: Callable[[Page], None]
) -> None:
    page = open_page(app, "/train", viewport={"width": 900, "height": 800})
    expect(page.locator("#monitor")).to_have_attribute("data-state", re.compile("^(?!loading)."))
    rail = page.locator(".rail")
    expect(rail).to_have_css("width", "84px")
    for always in (rail.locator(".notice"), page.locator("#chip-project, #chip-device")):
        for place in always.all():
            expect(place).to_be_visible()
    expect(page.locator("#page")).to_have_css("margin-left", "84px")
    assert page.evaluate("document.documentElement.scrollWidth") <= 900
    assert_accessible(page)
