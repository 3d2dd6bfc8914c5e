"""The Data page, as a person uses it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from core.tasks.store import TaskStore
from tests.browser.conftest import Seen, serve
from tests.browser.serving import AppServer
from tests.many import write_many

OpenPage = Callable[..., Page]
Check = Callable[[Page], None]
SCRIPT = "<img src=x onerror=window.__xss=1>"
GONE = ("ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "Failed to fetch")  # while a server restarts
IN_SIGHT = """() => { const grid = document.querySelector('#grid').getBoundingClientRect();
  return [...document.querySelectorAll('#grid img')].filter((image) => {
    const place = image.getBoundingClientRect();
    return place.bottom > grid.top && place.top < grid.bottom;
  }).every((image) => image.complete && image.naturalWidth > 0); }"""


def write_classes(folder: Path, count: int = 8, classes: tuple[str, ...] = ("a", "b")) -> Path:
    """Random pictures in class folders."""
    random = np.random.default_rng(len(folder.name))
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = random.integers(0, 256, (40, 48), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"P{number // 2:03d}_{number % 2}.png")
    return folder


def read(page: Page, folder: Path | str) -> None:
    """Paste a path and press the button."""
    expect(page.locator("#page")).to_have_attribute("data-stage", re.compile("."))
    if not page.locator("#path").is_visible():
        page.locator("#other-images").click()
    page.locator("#path input").fill(str(folder))
    page.locator("#read").click()


def fact(page: Page, name: str) -> str:
    """One of the figures on the page."""
    place = page.locator("#figures .facts > div", has=page.get_by_text(name, exact=True))
    return place.locator("dd").first.inner_text()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """A server that the tests of this file share; each has a project of its own."""
    home = tmp_path_factory.mktemp("desk")
    yield from serve(home / "workspace", home / "audit")


def test_first_visit_and_everything_that_can_be_wrong(
    empty_app: AppServer, open_page: OpenPage, assert_accessible: Check, tmp_path: Path
) -> None:
    page = open_page(empty_app)
    expect(page.locator("button.primary:visible, a.primary:visible")).to_have_text(
        "Read the images"
    )
    expect(page.locator("#demo")).to_be_visible()
    expect(page.locator("#settings")).to_be_hidden()
    assert_accessible(page)
    problem = page.locator("#source-problem .problem")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for given, code in (
        ("", "I10"), (tmp_path / "gone", "I14"), (tmp_path / "file", "I13"),
        (tmp_path / "empty", "I17"), (r"\\server\share", "I11"), ("relative", "I12"),
        (empty_app.workspace, "I16"),
    ):  # fmt: skip
        read(page, given)
        expect(problem.locator("code")).to_have_text(code)
        expect(page.locator("#path input")).to_have_value(str(given))  # to be mended
    assert_accessible(page)
    expect(page.locator("#project")).to_be_hidden()  # nothing has become a project

    one = write_classes(tmp_path / "one class", classes=("same",))
    read(page, f'"{one}"')
    said = page.locator("#import-said .problem")
    expect(said.locator("code")).to_have_text("T01", timeout=60_000)
    expect(said).to_contain_text("Add images of another class")
    expect(problem).to_have_count(0)
    assert fact(page, "Images") == "8"
    expect(page.locator("#next")).to_have_count(0)
    expect(page.locator("[data-step=data].done")).to_have_count(0)
    page.reload()
    expect(said.locator("code")).to_have_text("T01")  # it stays
    assert_accessible(page)

    words = tmp_path / "words"
    words.mkdir()
    (words / "read me.txt").write_text("no image")
    read(page, words)
    expect(said.locator("code")).to_have_text("I03", timeout=60_000)


def test_one_press_to_the_demo(empty_app: AppServer, open_page: OpenPage) -> None:
    page = open_page(empty_app)
    page.locator("#demo").click()
    progress = page.locator("#import-progress")
    expect(progress).to_contain_text("Drawing the synthetic patients", timeout=60_000)
    expect(page.locator("#project")).to_contain_text("synthetic images")
    expect(page.locator("#chip-job")).to_contain_text("Import")
    page.reload()
    expect(progress).to_contain_text(re.compile(r"of 240|of 720"), timeout=60_000)
    page.locator("#import-stop").click()
    expect(page.locator("#import-said")).to_contain_text("was stopped", timeout=60_000)
    expect(page.locator("#read-again")).to_be_visible()
    expect(progress).to_be_hidden()


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_with_other_columns_is_read_by_one_press(
    empty_app: AppServer, open_page: OpenPage, assert_accessible: Check, tmp_path: Path,
    packed: bool,
) -> None:  # fmt: skip
    folder = write_classes(tmp_path / "named otherwise", 12)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    rows = [
        f"{name},{number % 2},{number // 12},P{number // 2}" for number, name in enumerate(names)
    ]
    (folder / "labels.csv").write_text("\n".join(["name,cyst,mass,person", *rows]))
    source = shutil.make_archive(str(folder), "zip", folder) if packed else folder
    page = open_page(empty_app)
    read(page, source)
    said = page.locator("#import-said .problem")
    expect(said.locator("code")).to_have_text("L12", timeout=60_000)
    expect(said).to_contain_text("file: name; label: cyst, mass; patient: person")
    assert_accessible(page)
    page.locator("#use-columns").click()
    expect(page.locator("#next")).to_be_visible(timeout=60_000)
    assert (fact(page, "Findings"), fact(page, "Patients")) == ("2", "12")


def test_images_without_labels_can_be_looked_at_and_no_more(
    empty_app: AppServer, open_page: OpenPage, assert_accessible: Check, tmp_path: Path
) -> None:
    page = open_page(empty_app)
    read(page, write_classes(tmp_path / "plain", classes=(".",)))
    said = page.locator("#import-said .problem")
    expect(said.locator("code")).to_have_text("L17", timeout=60_000)
    page.locator("#look-only").click()
    expect(said.locator("code")).to_have_text("T14", timeout=60_000)
    assert fact(page, "Images") == "8"
    expect(page.locator("#balance table")).to_have_count(0)
    expect(page.locator("#grid img").first).to_be_visible()
    expect(page.locator("#next")).to_have_count(0)
    assert_accessible(page)


def test_from_a_path_to_the_next_step(
    desk: AppServer, open_page: OpenPage, assert_accessible: Check, tmp_path: Path
) -> None:
    folder = write_classes(tmp_path / f"study {SCRIPT}".replace("/", ""), 12, (SCRIPT, "b"))
    (folder / "b" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    (folder / "b" / "text.png").write_text("no image")
    page = open_page(desk)
    read(page, folder)
    expect(page.locator("#next")).to_be_visible(timeout=60_000)
    expect(page.locator("[data-step=data].done")).to_have_count(1)
    assert (fact(page, "Images"), fact(page, "Classes")) == ("24", "2")
    assert fact(page, "Size in the files") == "48 × 40 px"
    expect(page.locator("#balance th[scope=row]")).to_have_text([SCRIPT, "b"])
    expect(page.locator("#split-sentence")).to_contain_text("seed 0")
    expect(page.locator("#images .badge")).to_be_hidden()  # only the demo is synthetic
    expect(page.locator("#project .badge")).to_have_count(0)

    unusable = page.locator("#unusable")
    expect(unusable).to_contain_text("2 of 26")
    unusable.get_by_role("button", name=re.compile("promises")).click()
    expect(unusable.locator(".file-names")).to_have_text("b/text.png")

    page.get_by_role("button", name="Divide the patients differently").click()
    expect(page.locator("#divide")).not_to_have_attribute("inert", "")  # filled
    page.wait_for_timeout(2000)  # an opened fold sets its values once more
    page.locator("#set-split-test input").fill("0.6")
    page.locator("#redivide").click()
    expect(page.locator("#divide-problem code")).to_have_text("C01")
    page.locator("#set-split-test input").fill("0.25")
    page.locator("#set-split-seed input").fill("7")
    page.locator("#redivide").click()
    expect(page.locator("#split-sentence")).to_contain_text("seed 7", timeout=60_000)
    expect(page.locator("#divide-problem .problem")).to_have_count(0)

    page.get_by_role("button", name="How the images are read").click()
    expect(page.locator("#preview")).to_contain_text("26 files look like images")
    expect(page.locator("#preview")).to_contain_text(SCRIPT)
    page.locator("#set-data-patient_pattern input").fill(r"^(P\d+)_")
    expect(page.locator("#preview")).to_contain_text("6 patients in 24 names")
    expect(page.locator("#preview")).to_contain_text("2 names do not fit")
    assert_accessible(page)
    page.locator("#apply").click()
    expect(page.locator("#figures")).to_contain_text("from the file names", timeout=60_000)
    assert fact(page, "Patients") == "6"
    assert page.evaluate("window.__xss") is None
    page.locator("#next").click()
    expect(page).to_have_url(re.compile("/models$"))


def test_dropped_files_and_a_project_that_is_deleted(
    desk: AppServer, open_page: OpenPage, tmp_path: Path, seen: Seen
) -> None:
    page = open_page(desk)
    folder = write_classes(tmp_path / "dropped", 20)
    expect(page.locator("#page")).to_have_attribute("data-stage", re.compile("."))
    if page.locator("#other-images").is_visible():
        page.locator("#other-images").click()
    page.locator("#drop input[webkitdirectory]").set_input_files(folder)
    expect(page.locator("#project h2")).to_have_text("dropped", timeout=60_000)
    expect(page.locator("#next")).to_be_visible(timeout=60_000)
    expect(page.locator("#path")).to_be_hidden()
    assert fact(page, "Images") == "40"
    incoming = list((desk.workspace / "incoming").iterdir())
    assert len(incoming) == 1
    seen.allow(*GONE)
    desk.restart()
    page.reload()
    expect(page.locator("#project")).to_contain_text("Dropped files")
    assert incoming[0].exists()  # a project needs it

    page.locator("#delete-project").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(r"frees \d+.(kB|MB)"))
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator("#project h2")).to_have_text("dropped")
    page.locator("#delete-project").click()
    page.locator("#delete-really").click()
    expect(page.locator("#page")).to_have_attribute("data-stage", "empty")
    assert not incoming[0].exists()
    expect(page.locator("#recent")).not_to_contain_text("dropped")


def test_a_drop_anywhere_and_a_drop_of_nothing(
    desk: AppServer, open_page: OpenPage, seen: Seen
) -> None:
    page = open_page(desk)
    expect(page.locator("#page")).to_have_attribute("data-stage", re.compile("."))
    if page.locator("#other-images").is_visible():
        page.locator("#other-images").click()
    drop = """(names) => { const data = new DataTransfer();
      for (const name of names) data.items.add(new File(['no image'], name));
      for (const kind of ['dragenter', 'dragover', 'drop'])
        document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true,
          cancelable: true})); }"""
    page.evaluate(drop, [".hidden", "Thumbs.db"])
    expect(page.locator("#drop .problem code")).to_have_text("I43")
    page.evaluate(drop, ["notes.txt"])
    expect(page.locator("#import-said code")).to_have_text("I03", timeout=60_000)


def test_a_killed_import_and_a_restarted_server(
    desk: AppServer, open_page: OpenPage, tmp_path: Path, seen: Seen
) -> None:
    folder = write_classes(tmp_path / "many", 400)
    page = open_page(desk)
    read(page, folder)
    progress = page.locator("#import-progress")
    expect(progress).to_contain_text("of 800", timeout=60_000)
    task = TaskStore(desk.workspace).recent()[0]
    psutil.Process(json.loads(task.worker.read_text())["pid"]).kill()
    said = page.locator("#import-said")
    expect(said).to_contain_text("ended unexpectedly")
    page.locator("#read-again").click()
    expect(said).not_to_contain_text("ended unexpectedly")  # what was read is not read again
    seen.allow(*GONE)
    desk.restart()  # the import does not notice
    expect(page.locator("#next")).to_be_visible(timeout=60_000)
    assert fact(page, "Images") == "800"


def test_another_tab_and_recent_projects(
    desk: AppServer, open_page: OpenPage, tmp_path: Path
) -> None:
    first, second = open_page(desk), open_page(desk)
    read(first, write_classes(tmp_path / "left"))
    for page in (first, second):
        expect(page.locator("#project h2")).to_have_text("left")
        expect(page.locator("#next")).to_be_visible(timeout=60_000)
    read(second, write_classes(tmp_path / "right"))
    expect(first.locator("#project h2")).to_have_text("right")
    expect(first.locator("#next")).to_be_visible(timeout=60_000)
    first.locator("#other-images").click()
    recent = first.locator(".recent-list li", has_text="left")
    expect(recent).to_contain_text("16 images, 16 patients, 2 classes")
    recent.get_by_role("button").click()
    for page in (first, second):
        expect(page.locator("#project h2")).to_have_text("left")
    # and the forms follow: what is changed now belongs to the project that is shown
    second.get_by_role("button", name="Divide the patients differently").click()
    expect(second.locator("#divide")).not_to_have_attribute("inert", "")  # filled
    second.wait_for_timeout(2000)  # an opened fold sets its values once more
    second.locator("#set-split-seed input").fill("3")
    second.locator("#redivide").click()
    expect(first.locator("#split-sentence")).to_contain_text("seed 3", timeout=60_000)
    expect(second.locator("#divide-problem .problem")).to_have_count(0)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """The app on a project of ten thousand images."""
    home = tmp_path_factory.mktemp("many")
    write_many(home / "workspace", 10_000, size_px=48)
    yield from serve(home / "workspace", home / "audit")


def test_the_grid_by_keyboard(
    many: AppServer, open_page: OpenPage, assert_accessible: Check
) -> None:
    page = open_page(many)
    grid = page.get_by_role("grid", name="Images of the project")
    expect(grid.locator("img").first).to_have_js_property("complete", True)
    grid.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    last = grid.locator(f"#{grid.get_attribute('aria-activedescendant')}")
    expect(last).to_have_attribute("data-index", "9998")
    expect(last).to_be_in_viewport()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Image 9,999 of 10,000")
    expect(dialog).to_contain_text("00000000… (a keyed hash, from the table)")
    expect(dialog.locator("img")).to_have_js_property("naturalWidth", 48)
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading")).to_have_text("Image 10,000 of 10,000")
    name = f"{9999:016x}.png"
    expect(dialog.locator("dl")).to_contain_text(f"{9999:016x}")
    expect(dialog).not_to_contain_text(name)
    dialog.get_by_role("button", name="name").click()
    expect(dialog).to_contain_text(name)
    assert_accessible(page)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(grid).to_be_focused()
    page.locator("#filter-class").select_option("carcinoma")
    page.locator("#filter-part").select_option("Validation")
    expect(page.locator("#images-count")).to_have_text("664 of 10,000 images")
    names = [cell.get_attribute("aria-label") for cell in grid.get_by_role("gridcell").all()]
    assert set(names) == {"carcinoma, Validation"}
    expect(page.locator("#images .badge")).to_be_hidden()  # these are not synthetic


def test_ten_thousand_images(
    many: AppServer, open_page: OpenPage, assert_accessible: Check
) -> None:
    page = open_page(many, viewport={"width": 900, "height": 900})
    grid = page.locator("#grid")
    expect(page.locator("#images-count")).to_have_text("10,000 images")
    grid.scroll_into_view_if_needed()
    page.wait_for_function(IN_SIGHT)
    assert page.evaluate("document.querySelectorAll('#grid [role=gridcell]').length") < 150
    columns = int(grid.get_attribute("aria-colcount") or 0)
    assert int(grid.get_attribute("aria-rowcount") or 0) == -(-10_000 // columns)
    grid.evaluate("(grid) => { grid.scrollTop = grid.scrollHeight / 2; }")
    page.wait_for_function(IN_SIGHT)
    grid.focus()
    page.keyboard.press("End")
    expect(page.locator("#grid [data-index='9999'] img")).to_have_js_property("naturalWidth", 48)
    assert page.evaluate("document.querySelectorAll('#grid [role=gridcell]').length") < 150
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 900, f"the page is {wide} px wide"
    assert_accessible(page)
