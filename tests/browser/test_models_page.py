"""The Models page: choosing is kept at once, measuring can be watched, fetching asks first."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from core.config import load_config
from core.estimate import read_images
from core.measures import Measures, setting_for, teacher_key, write_measures
from core.projects import Project, ProjectStore
from core.students.spec import students_by_size
from core.tasks.store import TaskStore
from core.teachers.catalogue import teachers_at_hand
from tests.browser.conftest import Seen
from tests.browser.serving import AppServer

HUB_TEACHER = "resnet50-imagenet"
COST = {"parameters": 4_923_514, "megabytes": 19.7, "multiply_adds": 27_000_000,
        "latency_ms": 4.0, "latency_low": 3.0, "latency_high": 6.0}  # fmt: skip


def project_of(app: AppServer) -> Project:
    found = ProjectStore(app.workspace).current()
    assert found is not None
    return found


def put_measures(app: AppServer, *, students: int = 99, busy: float = 0.0) -> None:
    """Figures as measuring would have left them: of the first students and of every teacher."""
    project = project_of(app)
    teachers = teachers_at_hand(app.workspace / "teachers", project.config.teacher.name).teachers
    maps = [[64, 16, 16], [128, 8, 8], [256, 4, 4], [512, 2, 2]]
    grids = [[8, 8], [4, 4], [2, 2], [1, 1]]
    measured = Measures(
        2.0,
        busy,
        {name: COST | {"train_ms": 9.0, "infer_ms": 2.0, "grids": grids, "latency_ms": 2.0 + place}
         for place, name in enumerate(students_by_size()[:students])},
        {teacher_key(spec): COST | {"feature_ms": 5.0, "maps": maps} for spec in teachers.values()},
    )  # fmt: skip
    write_measures(measured, setting_for(project), app.workspace)


def card(page: Page, group: str, name: str) -> Any:
    return page.locator(f'#{group} .pick[data-id="{name}"]')


def ready(page: Page) -> Page:
    expect(page.locator("#models [data-ready=true]")).to_be_visible()
    return page


def test_a_choice_is_kept_at_once_and_its_cost_is_told(
    own_app: AppServer,
    open_page: Callable[..., Page],
    assert_accessible: Callable[[Page], None],
) -> None:
    put_measures(own_app, busy=0.6)
    page = ready(open_page(own_app, "/models"))
    before = project_of(own_app)
    assert not before.chose_models
    expect(page.locator("#teachers input:checked")).to_have_value(before.config.teacher.name)
    expect(card(page, "teachers", before.config.teacher.name)).to_contain_text("Your own file")
    expect(card(page, "teachers", "bedside-r10")).to_contain_text("Comes with Bedside")
    expect(card(page, "teachers", "bedside-r10")).to_contain_text("Licence: Apache-2.0")
    expect(card(page, "away", HUB_TEACHER)).to_be_hidden()
    page.locator("#away-list summary").click()
    expect(card(page, "away", HUB_TEACHER)).to_contain_text("Not on this computer yet")
    expect(card(page, "away", HUB_TEACHER)).to_contain_text(f"launch.py fetch {HUB_TEACHER}")
    expect(card(page, "away", HUB_TEACHER).locator("input")).to_be_disabled()
    expect(page.locator("#students .pick")).to_have_count(len(students_by_size()))
    expect(card(page, "students", "resnet10t")).to_contain_text("4.9 M")
    expect(card(page, "students", "resnet10t")).to_contain_text("Teacher: 4.0 ms")
    expect(page.locator("#cost-time")).to_contain_text("about")
    expect(page.locator("#cost-time")).to_contain_text("3 passes over")
    expect(page.locator("#cost-disk")).to_contain_text("Checkpoints")
    expect(page.locator(".measured")).to_contain_text("Other programs used 60 %")
    assert_accessible(page)

    page.locator("#students input:checked").focus()
    page.keyboard.press("ArrowDown")  # a radio button: the arrow chooses
    after = students_by_size()[students_by_size().index("resnet10t") + 1]
    expect(card(page, "students", after)).to_have_class(re.compile("picked"))
    expect(page.locator(f"#student-{after}")).to_be_focused()
    page.wait_for_function("document.querySelector('[data-step=models]').matches('.done')")
    assert project_of(own_app).config.student.name == after
    assert project_of(own_app).chose_models
    card(page, "teachers", "bedside-r10").locator("label").click()
    expect(page.locator("#teachers input:checked")).to_have_value("bedside-r10")
    page.reload()
    ready(page)
    expect(page.locator("#students input:checked")).to_have_value(after)
    assert load_config(project_of(own_app).folder / "config.json").teacher.name == "bedside-r10"

    page.locator("#side").select_option("64")
    expect(page.locator("#side-words")).to_contain_text("a larger picture shows nothing more")
    assert project_of(own_app).config.student.image_px == 64
    page.locator("#go-on").click()
    expect(page).to_have_url(re.compile("/train$"))


def test_a_file_of_ones_own_is_recognised_and_what_is_wrong_stays(
    own_app: AppServer,
    open_page: Callable[..., Page],
    assert_accessible: Callable[[Page], None],
    seen: Seen,
    tmp_path: Path,
) -> None:
    seen.allow("409")
    put_measures(own_app)
    page = ready(open_page(own_app, "/models", viewport={"width": 900, "height": 800}))
    teacher = Path(project_of(own_app).config.teacher.name)
    lonely, broken = tmp_path / "lonely.safetensors", tmp_path / "broken.safetensors"
    lonely.write_bytes(teacher.read_bytes())
    broken.write_bytes(teacher.read_bytes()[:5000])
    for typed, code in (
        ("teacher.safetensors", "C41"), (str(tmp_path / "none.safetensors"), "C42"),
        (str(broken), "M2"),
    ):  # fmt: skip
        page.locator("#own-path").fill(typed)
        page.locator("#own-use").click()
        expect(page.locator("#own-refused [role=alert]")).to_contain_text(code, timeout=60_000)
        expect(page.locator("#own-path")).to_have_value(typed)

    page.locator(".own-file input[type=file]").set_input_files(lonely)
    expect(page.locator("#own-is")).to_contain_text("resnet10t", timeout=60_000)
    expect(page.locator("#own-is")).to_contain_text("100 % of them are in the file")
    expect(page.locator("#own-refused [role=alert]")).to_have_count(0)
    page.locator("#own-take").click()  # what is not known is not made up
    assert page.locator("#own-norm").evaluate("(one) => one.matches(':invalid')")
    assert_accessible(page)
    page.locator("#own-name").fill("My <b>own</b> teacher")
    page.locator("#own-norm").select_option("own")
    page.locator("#own-mean").fill("0.5")
    page.locator("#own-std").fill("0.25, 0.25, 0.25")
    page.locator("#own-licence").fill("CC BY-NC 4.0")
    page.locator("#own-accepted").check()
    page.locator("#own-take").click()
    picked = page.locator("#teachers .pick.picked")
    expect(picked).to_contain_text("My <b>own</b> teacher", timeout=60_000)
    expect(picked).to_contain_text("CC BY-NC 4.0")
    expect(picked.locator(".consent")).to_have_count(0)  # accepted just now
    expect(page.locator("#own-proposal")).to_have_count(0)
    kept = Path(project_of(own_app).config.teacher.name)
    assert kept.parent == (own_app.workspace / "teachers").resolve()
    described = json.loads(kept.with_suffix(".json").read_text())["spec"]
    assert (described["mean"], described["std"]) == ([0.5] * 3, [0.25] * 3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 900

    kept.unlink()  # gone, as a drive that is pulled out
    page.reload()
    ready(page)
    expect(page.locator("#models-problems [role=alert]")).to_contain_text("C11")
    card(page, "teachers", "bedside-r10").locator("label").click()
    expect(page.locator("#models-problems [role=alert]")).to_have_count(0)


def test_a_licence_with_conditions_is_accepted_once_before_its_teacher_is_chosen(
    own_app: AppServer, open_page: Callable[..., Page]
) -> None:
    teacher = Path(project_of(own_app).config.teacher.name)
    kept = own_app.workspace / "teachers" / "ward.safetensors"
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(teacher.read_bytes())
    described = json.loads(teacher.with_suffix(".json").read_text())
    described["spec"] |= {"title": "Ward", "licence": "CC BY-NC 4.0", "licence_note": "No trade."}
    kept.with_suffix(".json").write_text(json.dumps(described))
    put_measures(own_app)
    page = ready(open_page(own_app, "/models"))
    ward = page.locator("#teachers .pick", has_text="Ward")
    ward.locator("label").click()
    expect(page.locator("#ask")).to_contain_text("No trade.")
    page.locator("#ask-no").click()
    expect(page.locator("#teachers input:checked")).to_have_value(str(teacher))
    ward.locator("label").click()
    page.locator("#ask-yes").click()
    expect(ward).to_have_class(re.compile("picked"))
    page.reload()
    ready(page)
    expect(ward).to_have_class(re.compile("picked"))
    expect(ward.locator(".consent")).to_have_count(0)


def test_teachers_are_compared_and_the_map_opens_an_image(
    own_app: AppServer,
    open_page: Callable[..., Page],
    assert_accessible: Callable[[Page], None],
) -> None:
    put_measures(own_app)
    page = ready(open_page(own_app, "/models"))
    expect(page.locator("#map")).to_be_hidden()
    page.locator("#worth-start").click()
    expect(page.locator("#worth-progress")).to_be_visible()
    rows = page.locator("#worth-table tbody tr")
    expect(page.locator("#worth-progress")).to_be_hidden(timeout=120_000)
    expect(rows).to_have_count(3)  # those at hand: the two that come with Bedside, the user's own
    found = [
        float(text) for text in page.locator("#worth-table td:nth-child(3) b").all_inner_texts()
    ]
    assert found == sorted(found, reverse=True)
    expect(page.locator("#worth-verdict")).to_contain_text(re.compile("best|chance"))
    expect(page.locator("#worth")).to_contain_text("judged without its own patient")
    expect(page.locator("#worth-start")).to_have_count(0)
    assert_accessible(page)

    before = project_of(own_app).config.teacher.name
    expect(page.locator("#worth-table tr.mine")).to_have_attribute("data-id", before)
    other = page.locator("#worth-table tr[data-id=bedside-r10]")
    other.get_by_role("button", name=re.compile("^Choose")).click()
    expect(page.locator("#worth-table tr.mine")).to_have_attribute("data-id", "bedside-r10")
    expect(card(page, "teachers", "bedside-r10")).to_have_class(re.compile("picked"))
    assert project_of(own_app).config.teacher.name == "bedside-r10"

    expect(page.locator("#map-teacher")).to_have_value("bedside-r10")
    plot = page.locator("#map-plot")
    train = read_images(project_of(own_app)).train
    expect(plot).to_have_attribute("data-drawn", str(len(train)))
    plot.scroll_into_view_if_needed()
    plot.locator(".points path").first.click(force=True)
    expect(page.locator("dialog.one img")).to_have_js_property("complete", True)
    expect(page.locator("dialog.one")).to_contain_text(f"of {len(train)}")
    expect(page.locator(".one-facts")).to_contain_text("training")
    page.keyboard.press("Escape")
    expect(plot).to_be_focused()
    page.keyboard.press("Home")
    expect(page.locator("#map [role=status]")).to_contain_text(f"Image 1 of {len(train)}")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#one-title")).to_contain_text(f"Image 2 of {len(train)}")
    page.keyboard.press("Escape")

    page.reload()
    ready(page)
    expect(rows).to_have_count(2)  # the user's file lies elsewhere and is chosen no more
    page.set_viewport_size({"width": 900, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 900


class Hub:
    """A hub on this machine that has every file: four kilobytes of nothing."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """From now on nobody answers; closing twice is allowed."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Answer(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        for name, value in (
            ("Content-Length", "4096"), ("ETag", '"0123456789abcdef0123456789abcdef"'),
            ("X-Repo-Commit", "a" * 40),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(bytes(4096))

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Hub]:
    found = Hub()
    yield found
    found.close()


@pytest.fixture
def hub_app(prepared: Path, tmp_path: Path, hub: Hub) -> Iterator[AppServer]:
    """The app with a hub on this machine in the place of the real one."""
    shutil.copytree(prepared, tmp_path / "workspace", dirs_exist_ok=True)
    app = AppServer(tmp_path / "workspace", tmp_path / "audit", HF_ENDPOINT=hub.address)
    yield app
    app.stop()
    assert not app.audit.exists(), "the hub was on this machine; nothing left it"


def test_nothing_is_fetched_before_it_was_agreed_to(
    hub_app: AppServer, hub: Hub, open_page: Callable[..., Page],
    assert_accessible: Callable[[Page], None],
) -> None:  # fmt: skip
    put_measures(hub_app)
    page = ready(open_page(hub_app, "/models"))
    page.locator("#away-list summary").click()
    shown = card(page, "away", HUB_TEACHER)
    shown.locator(".fetch").focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#ask")
    expect(dialog).to_contain_text("huggingface.co")
    expect(dialog).to_contain_text("timm/resnet50.a1_in1k/model.safetensors")
    expect(dialog).to_contain_text("Nothing of yours is sent")
    expect(page.locator("#ask-no")).to_be_focused()
    assert_accessible(page)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert TaskStore(hub_app.workspace).newest("fetch") is None
    shown.locator(".fetch").click()
    page.locator("#ask-yes").click()
    fetched = card(page, "teachers", HUB_TEACHER)
    expect(fetched).to_contain_text("From the hub, on this computer", timeout=60_000)
    fetched.locator("label").click()
    expect(page.locator("#teachers input:checked")).to_have_value(HUB_TEACHER)

    hub.close()
    other = card(page, "away", "dinov2-small")
    other.locator(".fetch").click()
    page.locator("#ask-yes").click()
    expect(other.locator("[role=alert]")).to_contain_text("M25", timeout=60_000)
    expect(other.locator(".fetch")).to_be_visible()
    page.reload()
    page.locator("#away-list summary").click()
    expect(other.locator("[role=alert]")).to_contain_text("could not be fetched")


def test_measuring_begins_by_itself_fills_the_cards_and_can_be_stopped(
    own_app: AppServer, open_page: Callable[..., Page]
) -> None:
    shutil.rmtree(own_app.workspace / "machine", ignore_errors=True)
    tasks = TaskStore(own_app.workspace)
    for task in tasks.recent():
        if "measure" in task.id:
            tasks.delete(task.id)
    page = ready(open_page(own_app, "/models"))
    expect(page.locator("#cost")).to_contain_text("as soon as the chosen teacher and student")
    expect(page.locator("#measure-progress")).to_be_visible()
    expect(card(page, "students", "resnet10t")).to_contain_text("4.9 M", timeout=90_000)
    expect(page.locator("#cost-time")).to_contain_text("about")
    other = open_page(own_app, "/models")  # a second tab joins the first one's measurement
    ready(other)
    expect(other.locator("#measure-progress")).to_be_visible()
    assert len([task for task in tasks.recent() if "measure" in task.id]) == 1
    page.locator("#measure-stop").click()
    expect(page.locator(".measured")).to_contain_text("Measuring was stopped", timeout=60_000)
    expect(page.locator("#measure")).to_have_text("Measure now")
    expect(card(page, "students", "resnet10t")).to_contain_text("4.9 M")


def test_without_a_project_it_says_where_to_begin(
    empty_app: AppServer,
    open_page: Callable[..., Page],
    assert_accessible: Callable[[Page], None],
) -> None:
    page = open_page(empty_app, "/models")
    expect(page.locator("#models-empty")).to_contain_text("First choose your images")
    assert_accessible(page)
    page.locator("#models-empty a").click()
    expect(page).to_have_url(empty_app.base + "/")
