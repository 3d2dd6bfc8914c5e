"""The Test page: new images in the viewer, folders as tables, validation, the sealed test set."""

from __future__ import annotations

import json
import re
import shutil
import statistics
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page, expect
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from core.config import load_config
from core.files import read_json, write_json
from core.runs.events import EventWriter
from core.runs.layout import RunFolder, new_run_id
from core.runs.store import RunStore
from tests.browser.conftest import Seen
from tests.browser.serving import AppServer

Open = Callable[..., Page]
LOADING_MS = 120_000  # the networks are loaded once; helpers may share the machine
XSS = "<img src=x onerror=window.__xss=1>.dcm"


def find_run(app: AppServer, method: str) -> RunFolder:
    """The finished run of a method in the prepared workspace."""
    store = RunStore(app.workspace)
    return store.open(next(line.id for line in store.list() if line.method == method))


def write_ct(file: Path) -> np.ndarray:
    """A CT slice of 512 x 512 with a ramp of Hounsfield units; returns them."""
    units = np.add.outer(np.arange(512) * 2 - 1000, np.arange(512)).astype(np.int16)
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1")
    header.SOPClassUID, header.SOPInstanceUID = UID("1.2.840.10008.5.1.4.1.1.2"), UID("2.25.9")
    header.Modality, header.PatientID, header.PatientName = "CT", "1", "Synthetic^Ramp"
    header.Rows, header.Columns = units.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    header.PixelRepresentation = 0
    header.RescaleSlope, header.RescaleIntercept = 2, -1024
    header.WindowCenter, header.WindowWidth = [-500, 50], [1400, 350]
    header.PixelSpacing, header.ImageOrientationPatient = [0.8, 0.8], [1, 0, 0, 0, 1, 0]
    header.PixelData = ((units.astype(int) + 1024) // 2).astype("<u2").tobytes()
    header.save_as(file, enforce_file_format=True)
    return np.asarray((units.astype(int) + 1024) // 2 * 2 - 1024)


def shown(value: float) -> str:
    """Three digits as the page rounds them: a tie goes up."""
    return str(Decimal(value).quantize(Decimal("0.001"), ROUND_HALF_UP))


def wait_for_images(page: Page, number: int) -> None:
    """Until so many images have been looked at and one of them is shown with its heat-map."""
    expect(page.locator(".strip-item")).to_have_count(number, timeout=LOADING_MS)
    expect(page.locator("#looking")).to_be_empty(timeout=LOADING_MS)
    expect(page.locator("#examined .examined")).to_have_attribute("data-state", "shown")


def draw_times(page: Page, canvas: Locator, times: int) -> list[float]:
    """Milliseconds that window changes take, from the change to the drawn picture."""
    found = []
    for turn in range(times):
        canvas.evaluate("(node) => { delete node.dataset.drawMs; }")
        canvas.press("]" if turn % 2 else ".")
        expect(canvas).to_have_attribute("data-draw-ms", re.compile(r"\d"))
        found.append(float(canvas.get_attribute("data-draw-ms") or "nan"))
    return found


def test_new_images(
    app: AppServer, open_page: Open, assert_accessible: Callable[[Page], None], tmp_path: Path
) -> None:
    run = find_run(app, "rd")
    page = open_page(app, "/test")
    expect(page.locator(".test-page")).to_have_attribute("data-state", "ready")
    page.get_by_role("button", name="Try an example").click()
    wait_for_images(page, 4)
    expect(page.locator(".rail [data-step=test]")).to_have_class("done")
    told = [float(node.get_attribute("data-value") or "") for node in
            page.locator("#examined .bar-line.student .number").all()]  # fmt: skip
    assert len(told) == 2
    assert abs(sum(told) - 1) < 1e-5
    expect(page.locator("#examined .bar-line.teacher")).to_have_count(2)
    expect(page.locator("#examined .verdict")).to_contain_text("The student says")
    expect(page.locator("#examined .looked")).to_contain_text("not why")
    expect(page.locator("#examined .mark-line")).to_have_count(1)
    assert "100 %" not in page.locator("#examined .bars").inner_text()
    seen = page.locator("#examined .seen-image")
    assert seen.evaluate("(node) => [node.naturalWidth, node.naturalHeight]") == [32, 32]
    assert_accessible(page)

    page.get_by_label(re.compile("^For ")).select_option(index=1)
    expect(page.locator("#examined .examined")).to_have_attribute("data-heat", "1")
    page.get_by_label("Heat-map: opacity in percent").fill("80")
    expect(page.locator("#examined .seen-heat")).to_have_css("opacity", "0.8")

    bad = tmp_path / "letter.png"
    bad.write_text("no picture")
    units = write_ct(tmp_path / XSS)
    page.locator(".choose input[type=file]").first.set_input_files([bad, tmp_path / XSS])
    wait_for_images(page, 6)
    viewer_is_right(page, units)
    page.locator(".strip-item", has_text="letter.png").click()
    expect(page.locator("#examined .problem")).to_contain_text("P01")
    assert page.evaluate("window.__xss") is None

    page.reload()
    wait_for_images(page, 6)
    assert (run.path / "examined").exists()
    page.get_by_role("button", name="Forget these images").click()
    expect(page.locator("#examined")).to_be_hidden()
    left = list((app.workspace / "examinations").glob("*/view.bin"))
    assert not left


def write_film(file: Path, frames: int) -> None:
    """An ultrasound film of 8 bits whose frames are brighter from one to the next."""
    grey = np.stack([np.full((48, 64), 20 * (1 + frame), np.uint8) for frame in range(frames)])
    grey[:, 10:30, 10:30] += 40
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1")
    header.SOPClassUID, header.SOPInstanceUID = UID("1.2.840.10008.5.1.4.1.1.3.1"), UID("2.25.8")
    header.Modality, header.PatientID, header.NumberOfFrames = "US", "1", frames
    header.Rows, header.Columns = grey.shape[1:]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 8, 8, 7
    header.PixelRepresentation = 0
    header.PixelData = grey.tobytes()
    header.save_as(file, enforce_file_format=True)


def test_a_film_is_leafed_through(app: AppServer, open_page: Open, tmp_path: Path) -> None:
    write_film(tmp_path / "film.dcm", 3)
    page = open_page(app, f"/test?run={find_run(app, 'student_only').id}")
    page.locator("#new-path").fill(str(tmp_path / "film.dcm"))
    page.locator("#look").click()
    wait_for_images(page, 1)
    turner, value = page.locator("#examined .turner"), page.locator("#examined .examined")
    shown = "() => document.querySelector('#examined .viewer').viewer.valueAt(0, 0)"
    expect(turner).to_contain_text("Picture 1 of 3")
    expect(turner.get_by_role("button", name="The picture before")).to_be_disabled()
    for picture in (2, 3):
        assert page.evaluate(shown) == str(20 * (picture - 1))
        turner.get_by_role("button", name="The picture after").click()
        expect(turner).to_contain_text(f"Picture {picture} of 3", timeout=LOADING_MS)
        expect(value).to_have_attribute("data-state", "shown")
    assert page.evaluate(shown) == "60"
    expect(turner.get_by_role("button", name="The picture after")).to_be_disabled()
    page.get_by_role("button", name="Forget these images").click()


def viewer_is_right(page: Page, units: np.ndarray) -> None:
    """The CT slice in the viewer: values, windows, keys, speed."""
    page.locator(".strip-item", has_text="onerror").click()
    canvas = page.locator("#examined .viewer-canvas")
    expect(page.locator("#examined .viewer-stage")).to_have_attribute("data-state", "ready")
    value = "([x, y]) => document.querySelector('#examined .viewer').viewer.valueAt(x, y)"
    shown = "([x, y]) => document.querySelector('#examined .viewer').viewer.shownAt(x, y)[0]"
    for x, y in ((0, 0), (511, 0), (100, 300), (511, 511)):
        assert page.evaluate(value, [x, y]) == f"{units[y, x]} HU"
    expect(canvas).to_have_attribute("data-width", "400")  # CT opens with soft tissue
    expect(page.locator("#examined .corner.bl")).to_contain_text("W 400  L 40 HU")
    expect(page.locator("#examined .edge.left")).to_have_text("R")
    expect(page.locator("#examined .ruler")).to_have_text("100 mm")
    expect(page.locator("#examined .outside")).to_have_text("Outside the training range")
    canvas.focus()
    canvas.press("2")  # the file's first window, LINEAR: PS3.3 C.11.2.1.2
    expect(canvas).to_have_attribute("data-width", "1400")
    for x, y in ((0, 0), (300, 100), (511, 511)):
        wanted = np.clip((units[y, x] - (-500 - 0.5)) / 1399 + 0.5, 0, 1) * 255
        assert abs(page.evaluate(shown, [x, y]) - wanted) <= 1
    before = page.evaluate(shown, [300, 100])
    canvas.press("i")
    expect(page.locator("#examined .corner.bl")).to_contain_text("inverted")
    assert abs(page.evaluate(shown, [300, 100]) - (255 - before)) <= 1
    canvas.press("i")
    canvas.press("n")  # the network's: of CT soft tissue
    expect(canvas).to_have_attribute("data-width", "400")
    canvas.press("h")
    expect(page.locator("#examined .corner.bl")).to_contain_text("mirrored")
    expect(page.locator("#examined .edge.left")).to_have_text("L")
    canvas.press("r")
    expect(page.locator("#examined .edge.top")).to_have_text("L")
    canvas.press("0")
    expect(canvas).to_have_attribute("data-zoom", "1.0000")
    canvas.press(" ")
    expect(page.locator("#examined .corner.bl")).not_to_contain_text("mirrored")
    page.get_by_label("Width", exact=True).fill("1000")
    page.get_by_label("Width", exact=True).press("Enter")
    expect(canvas).to_have_attribute("data-width", "1000")
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 200, steps=5)
    page.mouse.up()
    assert float(canvas.get_attribute("data-width") or 0) > 1200
    page.mouse.wheel(0, -300)
    expect(canvas).not_to_have_attribute("data-zoom", "1.0000")
    assert statistics.median(draw_times(page, canvas, 12)) < 16


def test_folders(
    app: AppServer, open_page: Open, assert_accessible: Callable[[Page], None], tmp_path: Path
) -> None:
    run = find_run(app, "rd")
    source = Path(load_config(run.config).data.source)
    folder = tmp_path / "some images"
    folder.mkdir()
    for file in sorted(source.glob("p000[0-2]*")):
        shutil.copy(file, folder)
    (folder / "=1+1.png").write_text("no picture")
    page = open_page(app, "/test")
    page.locator("#new-path").fill(f'"{folder}"')
    page.get_by_role("button", name="Look at it").click()
    card = page.locator("#table-card")
    expect(card).to_have_attribute("data-state", "done", timeout=LOADING_MS)
    expect(card).to_contain_text("7 files, 1 could not be read")
    expect(card.locator("tbody tr:not(.gap)")).to_have_count(7)
    card.get_by_role("button", name="round").press("Enter")
    expect(card.locator("[aria-sort=ascending]")).to_contain_text("round")
    cells = card.locator("tbody tr:not(.gap) td:nth-child(4)").all_inner_texts()
    shown = [int(cell.removesuffix(" %")) for cell in cells if cell]
    assert shown == sorted(shown)
    assert_accessible(page)
    with page.expect_download() as started:
        page.locator("#csv").click()
    text = started.value.path().read_text(encoding="utf-8-sig")
    assert text.startswith("file,code,reason,p_irregular,p_round,predicted")
    assert "'=1+1.png,P01" in text
    card.locator("tbody tr:not(.gap) button").first.press("Enter")
    case = page.locator("dialog.case .examined")
    expect(case).to_have_attribute("data-state", "shown", timeout=LOADING_MS)
    told = float(case.locator(".bar-line.student .number").nth(1).get_attribute("data-value") or "")
    assert round(told * 100) == max(1, min(99, shown[0]))
    page.keyboard.press("Escape")
    page.reload()
    expect(card).to_have_attribute("data-state", "done")
    card.get_by_role("button", name="Forget this table").click()
    expect(card).to_have_count(0)


def test_ten_thousand_rows_stay_smooth(app: AppServer, open_page: Open) -> None:
    run = find_run(app, "rd")
    task = RunFolder(app.workspace / "tasks" / new_run_id("predict", datetime.now()))
    task.path.mkdir(parents=True)
    columns = ["file", "code", "reason", "p_irregular", "p_round", "predicted", "above_round"]
    rows = [[f"{n:05d}.png", "", "", 1 - n / 1e4, n / 1e4, "round", True] for n in range(10_000)]
    write_json(
        task.path / "request.json", {"kind": "predict", "request": {"run": run.id, "path": "/many"}}
    )
    write_json(
        task.path / "result.json", {"files": 10_000, "done": 10_000, "unread": 0, "stopped": False}
    )
    (task.path / "table.json").write_text(json.dumps({"columns": columns, "data": rows}))
    with EventWriter(task, attempt=0) as writer:
        for event in ("created", "started", "completed"):
            writer.lifecycle(event)  # type: ignore[arg-type]
    try:
        page = open_page(app, "/test")
        card = page.locator("#table-card")
        expect(card).to_have_attribute("data-state", "done")
        assert card.locator("tbody tr").count() < 60
        took = page.evaluate("""async () => {
          const box = document.querySelector('.table-box'), frames = [];
          for (let step = 0; step < 40; step++) {
            const begun = performance.now();
            box.scrollTop = box.scrollHeight * step / 39;
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            frames.push(performance.now() - begun);
          }
          return frames.sort((one, other) => one - other)[20];
        }""")
        assert took < 100, f"{took} ms for a look at another place"
        expect(card.get_by_role("button", name="09999.png")).to_be_visible()
        assert card.locator("tbody tr").count() < 60
        took = page.evaluate("""() => {
          const begun = performance.now();
          document.querySelectorAll('.sort')[3].click();
          document.querySelectorAll('.sort')[3].click();
          return performance.now() - begun;
        }""")
        assert took < 1000
        expect(card.locator("tbody tr:not(.gap) button").first).to_have_text("09999.png")
    finally:
        shutil.rmtree(task.path)


def test_validation(
    app: AppServer, open_page: Open, assert_accessible: Callable[[Page], None]
) -> None:
    run = find_run(app, "rd")
    figures = read_json(run.report / "validation.json")
    page = open_page(app, f"/test?run={run.id}&part=validation")
    part = page.locator("#part-validation")
    expect(part).to_have_attribute("data-state", "ready")
    expect(part.locator(".roc")).to_have_attribute("data-traces", "4")
    area = figures["figures"]["auroc"]
    row = part.locator("[data-figure=auroc]")
    expect(row).to_contain_text(shown(area["value"]))
    expect(row).to_contain_text(f"{shown(area['low'])} to {shown(area['high'])}")
    counts = figures["confusion"][0]["counts"]
    wrong = counts[0][1] + counts[1][0]
    expect(part.locator("[data-queue=errors]")).to_have_text(f"Errors ({wrong})")
    expect(part.locator("[data-queue=all]")).to_have_text(f"All ({figures['images']})")
    assert_accessible(page)
    truth, said = next((t, s) for t in (0, 1) for s in (0, 1) if counts[t][s])
    names = figures["classes"]
    cell = f"Labelled {names[truth]}, student says {names[said]}: "
    part.get_by_role("button", name=cell).press("Enter")
    images = part.locator("#review-images")
    expect(images).to_have_attribute("data-shown", str(counts[truth][said]))
    page.keyboard.press("Enter")  # the grid has the focus
    case = page.locator("dialog.case .examined")
    expect(case).to_have_attribute("data-state", "shown", timeout=LOADING_MS)
    expect(case.locator(".truth")).to_contain_text(names[truth])
    expect(case.locator(".bar-line.teacher")).to_have_count(2)
    assert_accessible(page)
    if counts[truth][said] > 1:
        first = case.get_attribute("data-id")
        page.locator("dialog.case .viewer-canvas").press("ArrowRight")
        expect(case).not_to_have_attribute("data-id", first or "")
        expect(case).to_have_attribute("data-state", "shown")
    page.keyboard.press("Escape")
    expect(page.locator("#review-grid")).to_be_focused()

    alone = find_run(app, "student_only")
    page.locator("#run").select_option(alone.id)
    expect(part.locator("[data-queue=errors]")).to_be_visible()
    expect(part.locator("[data-queue=teacher]")).to_have_count(0)
    expect(page.locator(".run-facts")).to_contain_text("none: it learned alone")
    assert f"run={alone.id}" in page.url


def test_the_sealed_test_set(
    own_app: AppServer, open_page: Open, seen: Seen, assert_accessible: Callable[[Page], None]
) -> None:
    run = find_run(own_app, "rd")
    page = open_page(own_app, f"/test?run={run.id}&part=sealed")
    part = page.locator("#part-sealed")
    expect(part).to_contain_text("It has never been opened.")
    expect(page.locator("#open-test")).to_be_disabled()
    assert_accessible(page)
    seen.allow("409")
    refused = page.evaluate("""async (run) => (await fetch('/api/test/open', {method: 'POST',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify({run, understood: false})})).json()""", run.id)  # fmt: skip
    assert refused["error"]["code"] == "R69"
    assert not (own_app.workspace / "test_openings.jsonl").exists()
    page.locator("#understood").check()
    page.locator("#open-test").click()
    expect(part).to_have_attribute("data-state", "opening")
    page.reload()
    expect(part).to_have_attribute("data-state", "opened", timeout=LOADING_MS)
    expect(part).to_contain_text("It has been opened once")
    figures = [read_json(run.report / f"{name}.json")["figures"] for name in ("test", "validation")]
    row = part.locator("[data-figure=auroc]")
    for found in figures:
        expect(row).to_contain_text(shown(found["auroc"]["value"]))
        expect(row).to_contain_text(f"{found['auroc']['low']:.3f}")
    assert_accessible(page)
    alone = find_run(own_app, "student_only")
    page.goto(f"{own_app.base}/test?run={alone.id}&part=sealed")
    expect(part).to_contain_text(f"by run {run.id}")


def test_what_cannot_be_tested_is_said(
    app: AppServer, open_page: Open, seen: Seen, empty_app: AppServer
) -> None:
    page = open_page(empty_app, "/test")
    expect(page.locator("#no-run")).to_contain_text("No student to test yet")
    seen.allow("409")
    store = RunStore(app.workspace)
    unfinished = store.create(load_config(find_run(app, "rd").config))
    try:
        page = open_page(app, f"/test?run={unfinished.id}")
        expect(page.locator(".problem")).to_contain_text("R65")
        page.goto(f"{app.base}/test?run=20200101-000000-nothing-0000")
        expect(page.locator(".problem")).to_contain_text("R01")
        page.goto(f"{app.base}/test")
        page.locator("#new-path").fill("/nowhere/to be found")
        page.get_by_role("button", name="Look at it").click()
        expect(page.locator(".choose .problem")).to_contain_text("I50")
    finally:
        seen.allow("ERR_CONNECTION_REFUSED")  # of the empty app, which ends before its page
        store.delete(unfinished.id)


def test_answers_are_private(app: AppServer, open_page: Open, seen: Seen) -> None:
    seen.allow("409", "403", "404", "422")
    page = open_page(app, "/test")

    def status(path: str) -> Any:
        return page.evaluate("async (path) => (await fetch(path)).status", path)

    paths = ["picture/20260101T000000000000-00000000/view", "table/..%2f..", "run/..%2f..%2fruns"]
    for path in (*paths, "picture/..%2f..%2fserver.key/view", "csv/20260101-000000-predict-0000"):
        assert status(f"/api/test/{path}") in (404, 409), path
