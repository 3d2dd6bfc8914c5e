"""The Models page: who teaches, who learns, and what the pair costs on this computer."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Response
from pydantic import BaseModel

from app.choice import (
    describe_choice,
    read_project_images,
    start_fetching,
    start_measuring,
    stop_measuring,
)
from app.observe import Observer
from app.routes import answer
from app.shell import surface
from app.text import models as text
from app.worth import describe_map, start_probing
from core.config import RunConfig
from core.errors import ConfigError, RunError
from core.projects import Project
from core.students.spec import LARGEST_PX, STUDENTS
from core.teachers.catalogue import find_teacher, teachers_at_hand


class Choice(BaseModel):
    """What the user has chosen; what is not named stays as it is."""

    project: str
    teacher: str | None = None
    student: str | None = None
    image_px: int | None = None


class OwnTeacher(BaseModel):
    """The path of a teacher's file, as it was typed."""

    project: str
    path: str


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

    @router.post("/api/models/own")
    def own(typed: OwnTeacher) -> Response:
        project = _current(observer, typed.project)
        name = _own_file(typed.path)
        find_teacher(name)
        config = _with_teacher(project.config, name)
        observer.projects.save(project, config, chose_models=True)
        observer.forget()
        return answer(describe_choice(observer))

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


def _own_file(typed: str) -> str:
    """The whole path of the file that was typed.

    Raises:
        ConfigError: C41, it is no whole path; C42, there is no such file.
    """
    plain = typed.strip().strip('"')
    path = Path(plain).expanduser()
    if not plain or not path.is_absolute():
        raise ConfigError("C41", text.NO_PATH, todo=text.NO_PATH_TODO)
    if not path.is_file():
        raise ConfigError("C42", text.NO_FILE, item=path.name, todo=text.NO_FILE_TODO)
    return str(path.resolve())
