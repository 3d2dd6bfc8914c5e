"""The whole job as a user does it, with the mouse or with the keyboard alone.

Shared by the journeys and by ``bench interface``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from playwright.sync_api import Locator, Page, expect

TABS = 250  # more presses of Tab than any page has places
TRAIN_MS = 600_000


class Hand(Protocol):
    """How the user reaches things."""

    clicks: int

    def press(self, what: Locator) -> None:
        """Press a button or follow a link."""

    def write(self, where: Locator, words: str) -> None:
        """Replace what stands in a field."""

    def pick(self, what: Locator) -> None:
        """Choose one of several, or tick a box."""


class Mouse:
    """A user with a mouse."""

    def __init__(self) -> None:
        self.clicks = 0

    def press(self, what: Locator) -> None:
        """Click it."""
        what.click()
        self.clicks += 1

    def write(self, where: Locator, words: str) -> None:
        """Click into the field, write, and go on to the next."""
        where.fill(words)
        where.press("Tab")
        self.clicks += 1

    def pick(self, what: Locator) -> None:
        """Click it, or what stands for it."""
        what.check(force=True)
        self.clicks += 1


class Keys:
    """A user without a mouse: Tab, arrows, Space, Enter and letters."""

    def __init__(self) -> None:
        self.clicks = 0

    def press(self, what: Locator) -> None:
        """Go there and press Enter; in a row of tabs, go on with the arrows."""
        keyboard = what.page.keyboard
        if what.get_attribute("role") == "tab":
            row = what.locator("xpath=..")
            self._reach(row.locator("[role=tab][aria-selected=true]"))
            for _ in range(row.locator("[role=tab]").count()):
                if what.evaluate("(node) => node === document.activeElement"):
                    break
                keyboard.press("ArrowRight")
        else:
            self._reach(what)
        keyboard.press("Enter")

    def write(self, where: Locator, words: str) -> None:
        """Go there, select what stands there, write, and go on."""
        self._reach(where)
        where.page.keyboard.press("ControlOrMeta+a")
        where.page.keyboard.type(words)
        where.page.keyboard.press("Tab")

    def pick(self, what: Locator) -> None:
        """Tick a box with Space; go through a group with the arrows."""
        keyboard = what.page.keyboard
        if what.is_checked():
            return
        if what.get_attribute("type") == "checkbox":
            self._reach(what)
            keyboard.press("Space")
            return
        name = what.get_attribute("name")
        self._reach(what.page.locator(f"input[type=radio][name='{name}']:checked"))
        for _ in range(TABS):
            keyboard.press("ArrowDown")
            if what.is_checked():
                return
        raise AssertionError(f"no arrow key reaches {what}")

    def _reach(self, what: Locator) -> None:
        """Press Tab until the place has the focus."""
        expect(what).to_be_visible()
        expect(what).to_be_enabled()
        for _ in range(TABS):
            if what.evaluate("(node) => node === document.activeElement"):
                return
            what.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {what}")


def field(page: Page, name: str) -> Locator:
    """The input of a Gradio component."""
    return page.locator(f"#{name} textarea, #{name} input").first


def read_folder(page: Page, hand: Hand, folder: Path) -> None:
    """On Data: have a folder read and divided."""
    hand.write(field(page, "path"), str(folder))
    hand.press(page.locator("#read"))
    wait_for_division(page)


def wait_for_division(page: Page) -> None:
    """The images have been read and the patients divided: the step has its tick."""
    done = page.locator("[data-step=data].done")
    expect(done).to_be_visible(timeout=120_000)


def choose_models(page: Page, hand: Hand, teacher: Path | None, student: str) -> None:
    """On Models: a teacher's own file, or the one that is bundled, and a student."""
    expect(page.locator("#page [data-ready=true]")).to_be_visible()
    if page.locator("#measure-stop").is_visible():
        hand.press(page.locator("#measure-stop"))  # two cores have other things to do in a test
    if teacher is not None:
        hand.write(page.locator("#own-path"), str(teacher))
        hand.press(page.locator("#own-use"))
        expect(page.locator("input[name=pick-teacher]:checked")).to_have_value(str(teacher))
    hand.pick(page.locator(f"#student-{student}"))
    expect(page.locator(f"#student-{student}")).to_be_checked()


def set_advanced(page: Page, hand: Hand, **settings: object) -> None:
    """On Train: open Advanced and fill fields in."""
    expect(page.locator("#train-preset input:checked")).to_have_count(1)  # it has been filled in
    heading = page.locator("#train-advanced > button")
    if not page.locator("#train-reset").is_visible():
        hand.press(heading)
    for name, value in settings.items():
        hand.write(field(page, f"set-{name}"), str(value))


def train(page: Page, hand: Hand) -> str:
    """On Train: start, wait until all is done; returns the run's id."""
    hand.press(page.locator("#train-start"))
    monitor = page.locator("#monitor")
    expect(monitor).to_have_attribute("data-state", "running", timeout=60_000)
    expect(monitor).to_have_attribute("data-state", "completed", timeout=TRAIN_MS)
    return str(monitor.get_attribute("data-run"))


def look_at_image(page: Page, hand: Hand, image: Path | None = None) -> None:
    """On Test: have the student look at an image, or at examples that are drawn for it."""
    if image is None:
        hand.press(page.locator("#try-example"))
    else:
        hand.write(page.locator("#new-path"), str(image))
        hand.press(page.locator("#look"))
    shown = page.locator("#examined .viewer-stage[data-state=ready]")
    expect(shown).to_be_visible(timeout=120_000)
    expect(page.locator("#examined .verdict")).to_contain_text("The student")


def export(page: Page, hand: Hand, folder: Path) -> None:
    """On Export: copy the hand-over folder."""
    expect(page.locator("#parity")).to_be_visible()
    hand.write(page.locator("#export-folder"), str(folder))
    hand.press(page.locator("#export-copy"))
    expect(page.locator("#export-copied")).to_contain_text("Copied and verified", timeout=60_000)
