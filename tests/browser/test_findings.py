"""What an import found that needs a decision: said on the Data page, and mended with one press."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import Seen, serve
from tests.browser.serving import AppServer
from tests.browser.test_data_page import fact, read

OpenPage = Callable[..., Page]
Check = Callable[[Page], None]
PATIENTS, EACH = 24, 2
LONG_MS = 60_000


def write_patients(folder: Path, *, bright: bool = False) -> Path:
    """Two classes; patients named by the files alone; one class brighter if wished."""
    random = np.random.default_rng(3)
    for patient in range(PATIENTS):
        kind = "ill" if patient % 2 else "well"
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(EACH):
            most = 256 if kind == "ill" or not bright else 90
            pixels = random.integers(0, most, (40, 48), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"patient{patient:03d}_{number}.png")
    return folder


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """A server that the tests of this file share; each has a project of its own."""
    home = tmp_path_factory.mktemp("desk")
    yield from serve(home / "workspace", home / "audit")


def wait_for(page: Page, title: str) -> None:
    """Until the images of that project have been looked through."""
    expect(page.locator("#chip-project")).to_contain_text(title)
    expect(page.locator("#attention")).to_be_visible(timeout=LONG_MS)


def content(page: Page, app: AppServer, path: str) -> str:
    """What a link of the page gives, as text."""
    href = page.locator(path).get_attribute("href")
    answer = page.context.request.get(f"{app.base}{href}")
    assert answer.ok
    return answer.body().decode("utf-8-sig")


def test_patients_are_recognised_in_the_file_names(
    desk: AppServer, open_page: OpenPage, assert_accessible: Check, tmp_path: Path, seen: Seen
) -> None:
    """The question is asked, the effect is shown while typing, and one press answers it."""
    seen.allow("409")
    page = open_page(desk)
    read(page, write_patients(tmp_path / "names", bright=True))
    wait_for(page, "names")
    assert fact(page, "Patients") == str(PATIENTS * EACH)
    question = page.locator("#attention li", has_text="How is one patient recognised?")
    told = question.locator(".pattern-told")
    expect(told).to_contain_text(f"{PATIENTS} patients, {PATIENTS * EACH} images")
    expect(told.locator("mark").first).to_have_text(re.compile(r"^patient\d+$"))
    expect(page.locator("[data-shortcut=brightness] .badge")).to_be_visible()
    assert_accessible(page)
    page.locator("#pattern").fill("no group")
    expect(told).to_contain_text("C11")
    page.locator("#pattern").fill(r"^(\D+\d)")
    expect(told).to_contain_text(re.compile(r"[1-9] patients"))
    page.locator("#pattern").fill(r"^patient(\d+)_")
    expect(told).to_contain_text(f"{PATIENTS} patients, {PATIENTS * EACH} images.")
    page.locator("#pattern-use").click()
    expect(page.locator("#figures")).to_contain_text("from the file names", timeout=LONG_MS)
    assert fact(page, "Patients") == str(PATIENTS)
    expect(page.locator("#attention")).not_to_contain_text("How is one patient recognised?")
    expect(page.locator("#split-sentence")).to_contain_text("no patient is in two")


def test_the_report_names_nobody_and_the_list_says_so(
    desk: AppServer, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(desk)
    read(page, write_patients(tmp_path / "report"))
    wait_for(page, "report")
    shown = page.context.request.get(
        desk.base + str(page.locator("#import-report").get_attribute("href"))
    )
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    for path in ("#import-report", "#import-save"):
        text = content(page, desk, path)
        assert "Shortcut" in text or "anatomy" in text
        assert "patient000_0" not in text
        assert str(tmp_path) not in text
    assert "holds file names" in str(page.locator("#files-save").get_attribute("title"))
    parts = content(page, desk, "#division-save").splitlines()
    assert parts[0] == "sha256,frame,part"
    assert len(parts) == 1 + PATIENTS * EACH


def test_a_division_that_leaks_is_refused_and_made_anew(
    desk: AppServer, open_page: OpenPage, tmp_path: Path
) -> None:
    folder = write_patients(tmp_path / "leaks")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    lines = ["file,label,patient_id,split"]
    for place, name in enumerate(names):
        kind, _, file = name.partition("/")
        lines.append(f"{name},{kind},{file[7:10]},{('train', 'val', 'test')[place % 3]}")
    (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    page = open_page(desk)
    read(page, folder)
    wait_for(page, "leaks")
    expect(page.locator("#attention")).to_contain_text("The patients are not divided")
    expect(page.locator("#split-sentence")).to_have_text("The patients are not divided yet.")
    page.locator("#anew").click()
    expect(page.locator("#split-sentence")).to_contain_text("no patient is in two", timeout=LONG_MS)
    expect(page.locator("#attention li[data-level=error]")).to_have_count(0)


def test_an_archive_is_read_where_it_is(
    desk: AppServer, open_page: OpenPage, tmp_path: Path
) -> None:
    folder = write_patients(tmp_path / "packed")
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(folder))
    page = open_page(desk)
    read(page, packed)
    wait_for(page, "packed")
    assert fact(page, "Images") == str(PATIENTS * EACH)
    dropped = open_page(desk)
    dropped.locator("#other-images").click()
    dropped.locator("#drop input[type=file]").first.set_input_files(packed)
    expect(dropped.locator("#project")).to_contain_text("Dropped files", timeout=LONG_MS)
    expect(dropped.locator("#attention")).to_be_visible(timeout=LONG_MS)
    assert fact(dropped, "Images") == str(PATIENTS * EACH)
