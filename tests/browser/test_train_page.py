"""The Train page: start once, watch, stop, go on, compare, extend, delete."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from core.files import read_json
from core.projects import ProjectStore
from core.runs.layout import RunFolder, new_run_id
from core.runs.process import launch
from core.runs.status import RunStatus, read_worker, status
from core.runs.store import RunStore
from tests.browser.conftest import Seen, serve
from tests.browser.serving import ROOT, AppServer

OpenPage = Callable[..., Page]
LONG_MS = 300_000  # a training of seconds, on a machine that others use
COUNTER = ROOT / "tests" / "runs" / "tiny_worker.py"
EPOCHS = "#set-train-epochs input"
VERDICT = re.compile(r"Reprogramming Distillation \d\.\d\d, Student only \d\.\d\d; difference")


@pytest.fixture(scope="module")
def desk(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """An app of this module's own: its tests start, change and delete runs."""
    home = tmp_path_factory.mktemp("train")
    shutil.copytree(prepared, home / "workspace")
    yield from serve(home / "workspace", home / "audit")


@pytest.fixture(autouse=True)
def nothing_goes_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """No worker outlives its test."""
    yield
    if "desk" not in request.fixturenames:
        return
    store = RunStore(request.getfixturevalue("desk").workspace)
    live = [store.open(line.id) for line in store.list() if line.status.is_live]
    for run in live:
        kill(run)
    for run in live:
        until(lambda run=run: not status(run).is_live, 20)


def until(holds: Callable[[], object], seconds: float = LONG_MS / 1000) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def kill(run: RunFolder) -> None:
    worker = read_worker(run)
    if worker is not None and worker.process.is_alive():
        os.kill(worker.process.pid, signal.SIGKILL)


def store_of(app: AppServer) -> RunStore:
    return RunStore(app.workspace)


def shown_run(page: Page, app: AppServer) -> RunFolder:
    return store_of(app).open(str(page.locator("#monitor").get_attribute("data-run")))


def runs_in_state(page: Page, state: str, within_ms: int = LONG_MS) -> None:
    expect(page.locator("#monitor")).to_have_attribute("data-state", state, timeout=within_ms)


def points(page: Page) -> int:
    return int(page.locator("#monitor").get_attribute("data-points") or 0)


def finished(app: AppServer) -> RunFolder:
    """The prepared run, which has been compared with its student-only run."""
    runs = [store_of(app).open(line.id) for line in store_of(app).list()]
    return next(run for run in reversed(runs) if (run.report / "companion.json").exists())


def copy_of(app: AppServer) -> RunFolder:
    """Another completed run, made without training."""
    original = finished(app)
    copied = original.path.with_name(new_run_id("copy", datetime.now()))
    shutil.copytree(original.path, copied)
    return RunFolder(copied)


def set_up(page: Page, epochs: int, seed: int = 0) -> Locator:
    """Unfold the form and write passes and seed into it; returns Start."""
    start = page.get_by_role("button", name="Start training")
    expect(page.locator("#train-card")).to_have_attribute("data-state", "ready")
    if page.locator("#train-card.folded").count():
        page.locator("#train-fold").click()
    expect(page.locator("#train-name input, #train-name textarea")).to_have_value(
        re.compile("tiny")
    )
    if not page.locator(EPOCHS).count():
        page.locator("#train-advanced").get_by_role("button", name="Advanced").click()
    page.locator("#set-train-seed input").fill(str(seed))
    page.locator("#set-train-seed input").blur()
    page.locator(EPOCHS).fill(str(epochs))
    page.locator(EPOCHS).blur()
    passes = "1 pass" if epochs == 1 else f"{epochs} passes"
    expect(page.locator("#train-plan")).to_contain_text(passes)
    return start


def test_what_is_missing_is_said(
    empty_app: AppServer, open_page: OpenPage, assert_accessible: Callable[[Page], None]
) -> None:
    page = open_page(empty_app, "/train")
    expect(page.locator("#train-gate")).to_contain_text("There are no images to train on yet")
    expect(page.get_by_role("button", name="Start training")).not_to_be_visible()
    expect(page.locator("#run-none")).to_be_visible()
    assert_accessible(page)
    page.locator("#train-gate").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Data")


def test_a_finished_run_is_shown_with_its_yardstick(
    desk: AppServer, open_page: OpenPage, assert_accessible: Callable[[Page], None]
) -> None:
    page = open_page(desk, f"/train?run={finished(desk).id}")
    runs_in_state(page, "completed")
    expect(page.locator("#run-card .badge")).to_have_text("complete")
    expect(page.locator("#fact-auroc")).to_contain_text(re.compile(r"\d\.\d{3} \(\d\.\d{3} to"))
    expect(page.locator("#beside-sentence")).to_contain_text(VERDICT)
    expect(page.locator("#run-methods li[data-method=student_only]")).to_contain_text(VERDICT)
    shown = page.get_by_role("button", name="Shown beside: Student only")
    expect(shown).to_be_disabled()
    expect(page.locator("#run-methods li[data-method=drd] button")).to_have_text(
        "Train and compare"
    )
    refused = page.locator("#run-methods li[data-method=dist]")
    expect(refused).to_contain_text("these images have 2 classes")
    expect(refused.get_by_role("button")).to_be_disabled()
    stages_are_shown(page, finished(desk))
    expect(page.locator("#plot-auroc[data-drawn]")).to_be_attached()
    assert points(page) == sum(
        event.count('"type":"metric"')
        for event in shown_run(page, desk).events.read_text("utf-8").splitlines()
    )
    values = page.locator("#table-auroc tbody tr")
    expect(values).to_have_count(2)
    expect(values.first.locator("td").nth(1)).to_have_text(re.compile(r"^\d\.\d{3}$"))
    expect(page.locator("#table-loss tbody tr")).to_have_count(8)
    page.locator("#run-log summary").click()
    expect(page.locator("#run-log .events")).to_contain_text("Complete")
    page.get_by_text("The same on the command line").click()
    expect(page.locator("#run-command")).to_contain_text("launch.py run")
    page.locator("#train-advanced").get_by_role("button", name="Advanced").click()
    expect(page.locator(EPOCHS)).to_be_visible()
    assert_accessible(page)
    page.locator("#beside-away").click()
    expect(page.locator("#beside")).to_be_hidden()
    expect(values).to_have_count(1)
    page.get_by_role("button", name="Show beside: Student only").click()
    expect(values).to_have_count(2)
    alone = read_json(finished(desk).report / "companion.json")["run"]
    page.locator(f"#runs tr[data-run='{alone}'] .run-link").click()
    expect(page.locator("#stages-words")).to_contain_text("This run has no teacher")


def stages_are_shown(page: Page, run: RunFolder) -> None:
    """Both heat-maps say in numbers what the run's file holds."""
    tables = read_json(run.alignment)
    for place, when in enumerate(("before", "after")):
        cells = page.locator("#run-stages table.heat").nth(place).locator("td").all_inner_texts()
        figures = [value for row in tables[when] for value in row]
        assert [text.replace("−", "-") for text in cells] == [f"{value:.2f}" for value in figures]
    expect(page.locator("#run-stages td.together")).to_have_count(2)
    expect(page.locator("#stages-words")).to_contain_text("student's stage 4")


def test_a_wrong_setting_is_said_and_not_kept(
    desk: AppServer, open_page: OpenPage, assert_accessible: Callable[[Page], None]
) -> None:
    page = open_page(desk, "/train")
    start = set_up(page, 3)
    page.locator(EPOCHS).fill("0")
    page.locator(EPOCHS).blur()
    problem = page.locator("#train-problem .problem")
    expect(problem).to_contain_text("Epochs: ")
    expect(problem).to_contain_text("C01")
    before = len(store_of(desk).list())
    start.click()
    expect(problem).to_contain_text("C01")
    assert len(store_of(desk).list()) == before
    config = next((desk.workspace / "projects").glob("*/config.json"))
    assert read_json(config)["train"]["epochs"] == 3
    page.locator(EPOCHS).fill("4")
    page.locator(EPOCHS).blur()
    expect(problem).to_have_count(0)
    assert read_json(config)["train"]["epochs"] == 4
    why = page.locator("#train-why")
    why.get_by_role("button", name="Why these settings").click()
    passes = why.get_by_role("row", name=re.compile("^Epochs"))
    expect(passes).to_contain_text(
        "Changed by you; Bedside would take 300. About 24 training images"
    )
    page.get_by_label(re.compile("Quick look")).check()
    expect(page.locator(EPOCHS)).to_have_value("100")
    expect(passes).to_contain_text("By “Quick look”; usually 300. About 24 training images")
    assert_accessible(page)
    page.reload()
    expect(page.get_by_label(re.compile("Quick look"))).to_be_checked()
    page.locator("#train-advanced").get_by_role("button", name="Advanced").click()
    page.get_by_role("button", name="Back to the defaults").click()
    expect(page.get_by_label(re.compile("Balanced"))).to_be_checked()
    expect(page.locator(EPOCHS)).to_have_value("300")


def test_started_once_stopped_resumed_finished_compared_and_extended(
    desk: AppServer, open_page: OpenPage
) -> None:
    """Case 59: One run, started in two tabs, led to its end by every button, and beyond."""
    page, second = open_page(desk, "/train"), open_page(desk, "/train")
    before = len(store_of(desk).list())
    start = set_up(page, 60)
    expect(second.locator("#train-plan")).to_contain_text("60 passes")
    again = second.get_by_role("button", name="Start training")
    start.click()
    again.click()
    expect(second.get_by_text("under way already")).to_be_visible(timeout=LONG_MS)
    runs_in_state(page, "running")
    assert len(store_of(desk).list()) == before + 1
    run = shown_run(page, desk)
    expect(second.locator("#monitor")).to_have_attribute("data-run", run.id)
    assert f"run={run.id}" in page.url
    second.close()

    expect(page.locator("#fact-auroc")).to_have_text(re.compile(r"\d\.\d{3}"), timeout=LONG_MS)
    expect(page.locator("#fact-agreement")).to_have_text(re.compile(r"\d\.\d{3}"))
    page.locator("#run-stop").click()
    runs_in_state(page, "stopped")
    expect(page.locator("#run-state")).to_contain_text(re.compile(r"step \d+ is saved"))
    stopped_at = points(page)
    page.locator("#run-resume").click()
    runs_in_state(page, "running")
    until(lambda: points(page) > stopped_at + 10)
    page.locator("#run-finish").click()
    runs_in_state(page, "completed")
    steps = curve_steps(page, "loss")
    assert steps == list(range(len(steps))), "no step is missing, none is shown twice"
    expect(page.locator("#fact-auroc")).to_contain_text("to")
    expect(page.locator("#run-report")).to_be_visible()

    compare_by_one_press(desk, page, run)
    page.locator("#run-extend").click()
    page.get_by_label("Further passes").fill("2")
    page.get_by_role("button", name="Go on training").click()
    expect(page.locator("#monitor")).not_to_have_attribute("data-run", run.id, timeout=LONG_MS)
    runs_in_state(page, "completed")
    expect(page.locator("#run-about")).to_contain_text("Goes on from")
    longer = curve_steps(page, "loss")
    assert longer == list(range(len(longer)))
    assert len(longer) > len(steps)


def compare_by_one_press(desk: AppServer, page: Page, run: RunFolder) -> None:
    """At the end of the student-only run the comparison is simply there."""
    assert not (run.report / "companion.json").exists()
    button = page.locator("#run-methods button[data-method=student_only]")
    expect(button).to_have_text("Train and compare")
    button.click()
    beside = page.locator("#beside")
    expect(beside).to_be_visible(timeout=LONG_MS)
    alone = store_of(desk).open(str(beside.get_attribute("data-run")))
    assert read_json(alone.config)["method"]["name"] == "student_only"
    expect(button).to_have_text("Shown beside")
    expect(page.locator("#beside-sentence")).to_contain_text("as soon as it is complete")
    until(lambda: status(alone) is RunStatus.COMPLETED)
    expect(page.locator("#beside-sentence")).to_contain_text(VERDICT, timeout=LONG_MS)
    assert read_json(run.report / "companion.json")["run"] == alone.id
    assert "Student trained alone" in (run.report / "report.html").read_text("utf-8")
    assert int(str(beside.get_attribute("data-points"))) > 0
    assert page.locator("#table-auroc tbody tr").count() == 2


def count_slowly(app: AppServer) -> RunFolder:
    """A run whose worker needs no torch: a step every 20 ms, for long."""
    run = store_of(app).create(ProjectStore(app.workspace).list()[0].config)
    launch(run, (sys.executable, str(COUNTER), "count", "100000", "0.02"))
    return run


def test_zoom_survives_growth_and_a_reload_loses_nothing(
    desk: AppServer, open_page: OpenPage
) -> None:
    """A closer look stays while ten updates come in, and the lines are really redrawn."""
    run = count_slowly(desk)
    page = open_page(desk, f"/train?run={run.id}")
    runs_in_state(page, "running")
    plot, reset = page.locator("#plot-loss"), page.locator("[aria-label='Loss terms'] .reset")
    expect(plot).to_have_attribute("data-drawn", re.compile(r"\d\d"))
    page.evaluate(
        "() => Plotly.relayout('plot-loss', {'xaxis.range': [0, 900], 'yaxis.range': [0, 2]})"
    )
    expect(reset).to_be_enabled()
    drawn, lengths = [int(str(plot.get_attribute("data-drawn")))], []
    until(lambda: grown(page, drawn, lengths) > 10)
    assert lengths == sorted(lengths)
    assert lengths[-1] > lengths[0] + 50
    reset.click()
    expect(reset).to_be_disabled()
    known = points(page)
    page.reload()
    until(lambda: points(page) > known)
    steps = curve_steps(page, "loss")
    assert steps == list(range(len(steps)))


def grown(page: Page, drawn: list[int], lengths: list[int]) -> int:
    """Note a redraw, if there was one, and check that it left the ranges alone."""
    now = int(str(page.locator("#plot-loss").get_attribute("data-drawn")))
    if now > drawn[-1]:
        drawn.append(now)
        found = page.evaluate(DRAWN)
        assert found["ranges"] == [0, 900, 0, 2]
        lengths.append(found["points"])
    return len(drawn)


def curve_steps(page: Page, name: str) -> list[int]:
    """The steps of a curve, as the page's own code takes them in from the server's answer."""
    found: list[int] = page.evaluate(STEPS_OF, name)
    return found


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is Unix")
def test_a_killed_worker_is_seen_and_the_next_run_takes_its_turn(
    desk: AppServer, open_page: OpenPage
) -> None:
    first, second = count_slowly(desk), count_slowly(desk)
    page = open_page(desk, f"/train?run={second.id}")
    runs_in_state(page, "queued")
    expect(page.locator("#run-state")).to_contain_text("Waits for its turn: “tiny rd")
    page.goto(f"{desk.base}/train?run={first.id}")
    runs_in_state(page, "running")
    until(lambda: points(page) > 20)
    kill(first)
    killed = time.monotonic()
    runs_in_state(page, "interrupted")
    assert time.monotonic() - killed < 2.0 + slowness()
    expect(page.locator("#run-state")).to_contain_text("Interrupted")
    expect(page.locator("#run-resume")).to_be_visible()
    expect(page.locator(f"#runs tr[data-run='{first.id}'] .badge")).to_have_text("interrupted")
    expect(page.locator(f"#runs tr[data-run='{second.id}'] .badge")).to_have_text("running")


def slowness() -> float:
    """Seconds of grace where more processes want to run than there are processors."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return max(0.0, load - 1.0)


def test_a_total_that_dwarfs_its_terms_begins_switched_off(
    desk: AppServer, open_page: OpenPage
) -> None:
    run, copy = finished(desk), copy_of(desk)
    lines = copy.events.read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    for event in events:
        if event.get("name") == "loss":
            event["value"] *= 100
    copy.events.write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
    page = open_page(desk, f"/train?run={run.id}")
    plot = page.locator("#plot-loss[data-drawn]")
    total = page.locator("#table-loss").get_by_role("button", name="all terms, weighted").first
    for shown, switched in ((run, "true"), (copy, "false")):
        page.locator(f"#runs tr[data-run='{shown.id}'] .run-link").click()
        expect(page.locator("#monitor")).to_have_attribute("data-run", shown.id)
        expect(plot).to_be_attached()
        expect(total).to_have_attribute("aria-pressed", switched)
    total.click()
    expect(total).to_have_attribute("aria-pressed", "true")


def test_the_list_filters_compares_and_deletes(
    desk: AppServer, open_page: OpenPage, assert_accessible: Callable[[Page], None], seen: Seen
) -> None:
    copy, run = copy_of(desk), finished(desk)
    page = open_page(desk, f"/train?run={copy.id}")
    rows = page.locator("#runs tbody tr")
    expect(rows).to_have_count(len(store_of(desk).list()))
    page.locator("#runs-filter").fill("no run is called like this")
    expect(rows).to_have_count(0)
    page.locator("#runs-filter").fill("tiny")
    page.locator("#runs-state").select_option("completed")
    complete = [line for line in store_of(desk).list() if line.status is RunStatus.COMPLETED]
    expect(rows).to_have_count(len(complete))
    alone = read_json(run.report / "companion.json")["run"]
    for name in (run.id, alone):
        page.locator(f"#runs tr[data-run='{name}']").get_by_role("checkbox").check()
    page.locator("#runs-compare").click()
    older, newer = sorted((run.id, alone))
    expect(page.locator("#monitor")).to_have_attribute("data-run", older)
    beside = page.locator("#beside")
    expect(beside).to_have_attribute("data-run", newer)
    expect(beside).to_contain_text("Method: Name")
    expect(beside).to_contain_text("Reprogramming Distillation")
    expect(page.locator("#table-auroc tbody tr")).to_have_count(2)

    page.locator(f"#runs tr[data-run='{copy.id}'] .run-link").click()
    expect(page.locator("#monitor")).to_have_attribute("data-run", copy.id)
    expect(beside).to_have_attribute("data-run", alone)
    page.locator(f"#runs tr[data-run='{copy.id}']").get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(r"\d+ (kB|MB)"))
    assert_accessible(page)
    seen.allow("ERR_FAILED")
    page.route("**/delete", lambda route: route.abort())
    dialog.get_by_role("button", name="Delete it").click()
    expect(dialog).to_contain_text("There is no connection to Bedside.")
    expect(beside).to_have_attribute("data-run", alone)  # nothing was deleted, all is shown again
    page.unroute("**/delete")
    dialog.get_by_role("button", name="Delete it").click()
    expect(page.locator(f"#runs tr[data-run='{copy.id}']")).to_have_count(0)
    assert not copy.path.exists()
    expect(page.locator("#monitor")).not_to_have_attribute("data-run", copy.id)


def test_a_run_deleted_elsewhere_is_said_and_the_page_goes_on(
    desk: AppServer, open_page: OpenPage, seen: Seen
) -> None:
    seen.allow("409")
    copy = copy_of(desk)
    page = open_page(desk, f"/train?run={copy.id}")
    expect(page.locator("#monitor")).to_have_attribute("data-run", copy.id)
    until(lambda: points(page) > 0)
    store_of(desk).delete(copy.id)
    expect(page.locator("#run-gone")).to_contain_text("was deleted elsewhere")
    expect(page.locator("#monitor")).not_to_have_attribute("data-run", copy.id)
    until(lambda: points(page) > 0)
    expect(page.locator(f"#runs tr[data-run='{copy.id}']")).to_have_count(0)


def test_a_hidden_tab_does_not_ask(desk: AppServer, open_page: OpenPage) -> None:
    page = open_page(desk, f"/train?run={finished(desk).id}")
    runs_in_state(page, "completed")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', {get: () => window.away ?? true}); }"
    )
    page.wait_for_timeout(300)  # what was under way
    asked.clear()
    page.wait_for_timeout(2500)
    assert asked == []
    page.evaluate("() => { window.away = false; }")
    until(lambda: page.wait_for_timeout(100) or any("/api/live" in url for url in asked), 20)


DRAWN = """() => {
  const {_fullLayout: {xaxis, yaxis}, data} = document.getElementById('plot-loss');
  return {ranges: [...xaxis.range, ...yaxis.range],
    points: Math.max(...data.map((trace) => trace.x.length))};
}"""
STEPS_OF = """async (name) => {
  const {Curves} = await import('/ws/static/curves.js');
  const run = document.getElementById('monitor').dataset.run;
  const answer = await fetch(`/api/live?run=${run}&since=0`);
  const curves = new Curves();
  curves.take((await answer.json()).run);
  return curves.series.get(name).steps;
}"""
CURVES_CHECK = """async () => {
  const {Curves, thin} = await import('/ws/static/curves.js');
  const curves = new Curves();
  const names = ['loss', 'validation/auroc'];
  curves.take({names, since: 0, rows: [[0, 0, 0.1, 5, 1], [0, 1, 0.2, 4, 1], [0, 2, 0.3, 3, 1]]});
  const ignored = curves.take({names, since: 1, rows: [[0, 9, 1, 9, 1]]});
  curves.take({names, since: 3, rows: [[0, 1, 0.2, 7, 2], [1, 2, 0.3, 0.8, 2]]});
  const x = Array.from({length: 10000}, (_, i) => i), y = x.map((i) => Math.sin(i / 50));
  y[1234] = 99; y[5678] = -99; y[7000] = null;
  const few = thin(x, y, null), near = thin(x, y, [100, 200]);
  return {ignored, steps: curves.series.get('loss').steps, values: curves.series.get('loss').values,
    points: curves.points, drawn: few.x.length, high: Math.max(...few.y), low: Math.min(...few.y),
    gap: few.y.includes(null), last: few.x.at(-1),
    sorted: few.x.every((v, i) => !i || v > few.x[i - 1]),
    near: [near.x[0], near.x.at(-1), near.x.length]};
}"""


def test_curves_rewind_and_are_thinned_without_losing_a_spike(
    desk: AppServer, open_page: OpenPage
) -> None:
    found: dict[str, Any] = open_page(desk, "/train").evaluate(CURVES_CHECK)
    assert found["ignored"] is False
    assert (found["steps"], found["values"]) == ([0, 1], [5, 7])
    assert found["points"] == 3
    assert found["drawn"] <= 1300
    assert (found["high"], found["low"], found["gap"]) == (99, -99, True)
    assert (found["last"], found["sorted"]) == (9999, True)
    assert found["near"] == [99, 201, 103]
