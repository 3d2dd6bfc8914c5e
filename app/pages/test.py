"""The test page: new images, the validation split, the sealed test set."""

from __future__ import annotations

import json
import re
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from starlette.responses import FileResponse

from app.desk import Desk, clean_path
from app.examiner import FILES, no_examination
from app.observe import Observer
from app.review import review
from app.routes import answer
from app.shell import surface
from app.text import test as text
from core.errors import ConfigError, RunError
from core.tasks.kinds.predict import CSV, PLACES, TABLE
from core.tasks.store import read_request

LONGEST_PATH = 4000  # characters
HEAT = re.compile(r"heat-\d{1,3}")
Run = Annotated[str, Field(max_length=80)]
Place = Annotated[int, Field(ge=0, le=1_000_000)]


class AboutRun(BaseModel):
    """A question about a run."""

    run: Run


class AboutPath(AboutRun):
    """About a file or folder on this computer."""

    path: str = Field(max_length=LONGEST_PATH)


class AboutArrived(AboutRun):
    """About files that were dropped on the page."""

    arrived: str = Field(max_length=16)


class AboutFile(AboutArrived):
    """About one of them."""

    number: Place


class AboutExample(AboutRun):
    """About an example; `batch` tells sets of examples apart."""

    number: Place
    batch: Place


class AboutImage(AboutRun):
    """About a validation image."""

    image: str = Field(max_length=40)


class AboutRow(BaseModel):
    """About a line of a table of predictions."""

    task: Run
    row: Place


class AboutPicture(BaseModel):
    """About another picture of a file that holds several."""

    id: str = Field(max_length=40)
    picture: Place


class AboutHeat(BaseModel):
    """About a heat-map."""

    id: str = Field(max_length=40)
    place: int = Field(ge=0, lt=1000)


class Opening(AboutRun):
    """A wish to open the test set."""

    understood: bool


def make_router(observer: Observer) -> APIRouter:
    """The routes of this page."""
    desk = Desk(observer)
    router = APIRouter()
    _add_questions(router, desk)
    _add_pictures(router, desk)
    _add_tables(router, desk)
    return router


def build(observer: Observer) -> None:
    """Lay the page out."""
    surface("test", f'<p class="quiet">{text.LOADING}</p>', elem_id="test-surface")


def _add_questions(router: APIRouter, desk: Desk) -> None:
    """Runs, the validation split, the test set."""

    @router.get("/api/test/runs")
    def runs(run: str = "") -> Response:
        return answer(desk.runs(run))

    @router.get("/api/test/run/{run}")
    def describe(run: str) -> Response:
        return answer(desk.describe(run))

    @router.get("/api/test/validation/{run}")
    def validation(run: str) -> Response:
        return answer(review(desk.run(run)))

    @router.get("/api/test/sealed/{run}")
    def sealed(run: str) -> Response:
        return answer(desk.sealed(run))

    @router.post("/api/test/open")
    def open_test(wish: Opening) -> Response:
        return answer(desk.open_test(wish.run, understood=wish.understood))

    @router.post("/api/test/warm")
    def warm(about: AboutRun) -> Response:
        desk.examiner.warm(desk.run(about.run).id)
        return answer({})


def _add_pictures(router: APIRouter, desk: Desk) -> None:
    """Single pictures: looked at, shown, forgotten."""

    @router.post("/api/test/examine/path")
    def path(about: AboutPath) -> Response:
        found = clean_path(about.path)
        return answer(desk.examine(about.run, "new", found.name, path=str(found)))

    @router.post("/api/test/examine/file")
    def file(about: AboutFile) -> Response:
        files = desk.arrived_files(about.arrived)
        if about.number >= len(files):
            raise no_examination()
        found = files[about.number]
        return answer(desk.examine(about.run, "new", found.name, path=str(found)))

    @router.post("/api/test/examine/example")
    def example(about: AboutExample) -> Response:
        earlier = [facts for facts in desk.examinations.of_run(about.run, "new") if facts["truth"]]
        shown = text.EXAMPLE.format(number=len(earlier) + 1)
        asked = {"example": about.number, "batch": about.batch}
        return answer(desk.examine(about.run, "new", shown, **asked))

    @router.post("/api/test/examine/image")
    def image(about: AboutImage) -> Response:
        known = desk.examinations.of_run(about.run, "validation")
        for facts in known:
            if facts.get("image") == about.image:
                return answer(facts)
        shown = text.VALIDATION_IMAGE.format(image=about.image[:8])
        return answer(desk.examine(about.run, "validation", shown, image=about.image))

    @router.post("/api/test/examine/row")
    def row(about: AboutRow) -> Response:
        places = json.loads(desk.table(about.task, PLACES).read_text(encoding="utf-8"))
        asked = read_request(desk.observer.tasks.open(about.task))["request"]
        if about.row >= len(places):
            raise RunError("R68", text.NO_TABLE, todo=text.NO_TABLE_TODO)
        path, picture = places[about.row]
        name = path.replace("\\", "/").rpartition("/")[2]
        return answer(desk.examine(asked["run"], "row", name, path=path, picture=picture))

    @router.post("/api/test/examine/turn")
    def turn(about: AboutPicture) -> Response:
        return answer(desk.turn(about.id, about.picture))

    @router.get("/api/test/examinations")
    def examinations(run: str) -> Response:
        return answer({"examinations": desk.examinations.of_run(run, "new")})

    @router.post("/api/test/forget/{name}")
    def forget(name: str) -> Response:
        desk.examinations.forget(name)
        return answer({})

    @router.post("/api/test/heat")
    def heat(about: AboutHeat) -> Response:
        facts = desk.examinations.facts(about.id)
        if about.place >= len(facts.get("student") or []):
            raise ConfigError("C40", text.NO_CLASS)
        folder = desk.examinations.folder / about.id
        asked = {"do": "heat", "run": facts["run"], "target": str(folder), "class": about.place}
        return answer(desk.examiner.ask(asked))

    @router.get("/api/test/picture/{name}/{what}")
    def picture(name: str, what: str) -> Response:
        known = FILES.get(what) or (f"{what}.png" if HEAT.fullmatch(what) else "")
        kind = "image/png" if known.endswith(".png") else "application/octet-stream"
        return FileResponse(desk.examinations.file(name, known or "none"), media_type=kind)


def _add_tables(router: APIRouter, desk: Desk) -> None:
    """Folders: classified, shown as a table, kept as a CSV."""

    @router.post("/api/test/look/path")
    def look_path(about: AboutPath) -> Response:
        return answer(desk.look_at_path(about.run, about.path))

    @router.post("/api/test/look/arrived")
    def look_arrived(about: AboutArrived) -> Response:
        return answer(desk.look_at_arrived(about.run, about.arrived))

    @router.get("/api/test/table/{task}")
    def table(task: str) -> Response:
        return FileResponse(desk.table(task, TABLE), media_type="application/json")

    @router.get("/api/test/csv/{task}")
    def csv(task: str) -> Response:
        run = read_request(desk.observer.tasks.open(task))["request"].get("run", "")
        name = f"predictions-{run}.csv"
        return FileResponse(desk.table(task, CSV), media_type="text/csv", filename=name)

    @router.post("/api/test/table/{task}/forget")
    def forget_table(task: str) -> Response:
        desk.forget_table(task)
        return answer({})
