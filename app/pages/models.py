"""The Models page: who teaches, who learns, and what the pair costs on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.choice import (
    describe_choice,
    read_project_images,
    start_fetching,
    start_measuring,
    stop_measuring,
)
from app.ingest import Incoming
from app.observe import Observer
from app.own_teacher import dropped_place, known_teacher, look_at, take_in, typed_place
from app.routes import answer
from app.shell import surface
from app.text import models as text
from app.worth import describe_map, start_probing
from core.config import RunConfig
from core.errors import ConfigError, RunError
from core.projects import Project
from core.students.spec import LARGEST_PX, STUDENTS
from core.teachers.catalogue import find_teacher, teachers_at_hand
from core.teachers.consent import accept_licence


class Choice(BaseModel):
    """What the user has chosen; what is not named stays as it is."""

    project: str
    teacher: str | None = None
    student: str | None = None
    image_px: int | None = None


class OwnTeacher(BaseModel):
    """A teacher's file: its path as it was typed, or the id of what was dropped."""

    project: str
    path: str = Field("", max_length=4000)
    dropped: str = Field("", max_length=32)


class Answers(BaseModel):
    """What the user says of a file that was looked at; `core.teachers.adopt` checks it."""

    project: str
    path: str
    answers: dict[str, Any]


class Accepted(BaseModel):
    """A teacher whose licence the user has accepted."""

    project: str
    teacher: str


class Wanted(BaseModel):
    """A teacher of the catalogue that the user has agreed to fetch."""

    teacher: str


class Of(BaseModel):
    """The project that is meant."""

    project: str


class Again(BaseModel):
    """Whether to forget what has been measured."""

    again: bool = False


def make_router(observer: Observer) -> APIRouter:
    """The routes of this page."""
    router = APIRouter()

    @router.get("/api/models")
    def models() -> Response:
        return answer(describe_choice(observer))

    @router.post("/api/models/choose")
    def choose(choice: Choice) -> Response:
        project = _current(observer, choice.project)
        config = _chosen(project.config, choice, observer.workspace)
        if config.student.image_px != project.config.student.image_px:
            stop_measuring(observer)
        observer.projects.save(project, config, chose_models=True)
        observer.forget()
        return answer(describe_choice(observer))

    _add_own(router, observer)

    @router.post("/api/models/measure")
    def measure(how: Again) -> Response:
        if any(job["kind"] == "run" for job in observer.live_jobs()):
            raise RunError("R81", text.RUN_IS_LIVE, todo=text.RUN_IS_LIVE_TODO)
        start_measuring(observer, again=how.again)
        return answer(describe_choice(observer))

    _add_probe(router, observer)

    @router.post("/api/models/fetch")
    def fetch(wanted: Wanted) -> Response:
        start_fetching(observer, wanted.teacher)
        return answer(describe_choice(observer))

    return router


def _add_own(router: APIRouter, observer: Observer) -> None:
    """A file of the user's: looked at, taken in, its licence accepted."""
    incoming = Incoming(observer.workspace)

    @router.post("/api/models/own")
    def own(given: OwnTeacher) -> Response:
        project = _current(observer, given.project)
        dropped = given.dropped and dropped_place(incoming, given.dropped)
        place = dropped or typed_place(given.path)
        name = known_teacher(place)
        if not name or dropped:  # what was dropped does not stay where it is
            return answer({"task": look_at(observer, place).id, "path": str(place)})
        config = _with_teacher(project.config, name)
        observer.projects.save(project, config, chose_models=True)
        observer.forget()
        return answer({"page": describe_choice(observer)})

    @router.post("/api/models/adopt")
    def adopt(given: Answers) -> Response:
        _current(observer, given.project)
        return answer({"task": take_in(observer, Path(given.path), given.answers).id})

    @router.post("/api/models/accept")
    def accept(given: Accepted) -> Response:
        project, cache = _current(observer, given.project), observer.workspace / "teachers"
        known = teachers_at_hand(cache, project.config.teacher.name).teachers
        accept_licence(known.get(given.teacher) or find_teacher(given.teacher), cache)
        observer.forget()
        return answer(describe_choice(observer))


def _add_probe(router: APIRouter, observer: Observer) -> None:
    """Comparing the teachers on the project's images, and the map of one of them."""

    @router.post("/api/models/probe")
    def probe(of: Of) -> Response:
        start_probing(observer, _current(observer, of.project))
        return answer(describe_choice(observer))

    @router.get("/api/models/map")
    def map_of(project: str, teacher: str) -> Response:
        shown = _current(observer, project)
        images = read_project_images(shown)
        if images is None:
            raise RunError("R85", text.NO_IMAGES, todo=text.NO_IMAGES_TODO)
        return answer(describe_map(observer, shown, find_teacher(teacher), images))


def build(observer: Observer) -> None:
    """Lay the page out."""
    surface("models", elem_id="models")


def _current(observer: Observer, name: str) -> Project:
    """The project that the page shows, if it is still the one that is open.

    Raises:
        RunError: R82, another one was opened elsewhere.
    """
    project = observer.projects.current()
    if project is None or project.id != name:
        raise RunError("R82", text.OTHER_PROJECT, todo=text.OTHER_PROJECT_TODO)
    return project


def _chosen(config: RunConfig, choice: Choice, workspace: Path) -> RunConfig:
    """The request with what was chosen, each part checked.

    Raises:
        ConfigError: C10, C11, C30: there is no such student or teacher, or the side does not suit.
    """
    if choice.teacher is not None:
        known = teachers_at_hand(workspace / "teachers", config.teacher.name).teachers
        if choice.teacher not in known:
            find_teacher(choice.teacher)  # which says what is wrong
        config = _with_teacher(config, choice.teacher)
    student = STUDENTS.get(choice.student or config.student.name)
    side = config.student.image_px if choice.image_px is None else choice.image_px
    if choice.image_px is not None:
        student.require_px(side)
        if side > LARGEST_PX:
            raise ConfigError("C31", text.TOO_LARGE.format(side=side, largest=LARGEST_PX))
    changed = {"name": student.name, "image_px": student.nearest_px(side)}
    if student.name != config.student.name:
        changed["weights"] = ""  # those of another network
    return config.model_copy(update={"student": config.student.model_copy(update=changed)})


def _with_teacher(config: RunConfig, name: str) -> RunConfig:
    return config.model_copy(update={"teacher": config.teacher.model_copy(update={"name": name})})
