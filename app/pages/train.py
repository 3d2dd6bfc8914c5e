"""The Train page: start a training, watch it, and what became of the earlier ones."""

from __future__ import annotations

import gradio as gr
from fastapi import APIRouter, Response
from pydantic import BaseModel

from app.beside_facts import compare_runs, require_possible
from app.observe import Observer
from app.pages.train_form import TrainForm
from app.routes import answer
from app.run_facts import RunFacts, run_log
from app.shell import surface
from app.text import train as text
from core.runs.companion import companion_of
from core.runs.layout import RunFolder
from core.runs.process import request_finish, request_stop
from core.runs.starting import Started, extend_run, resume_run, start_companion
from core.runs.status import RunStatus


class Against(BaseModel):
    """Which other method a run is to be compared with."""

    method: str


class More(BaseModel):
    """How much further a completed run is to go."""

    passes: int


def make_router(observer: Observer) -> APIRouter:
    """The routes of this page."""
    router = APIRouter()
    facts = RunFacts(observer)

    @router.get("/api/train/runs")
    def runs() -> Response:
        return answer({"version": observer.runs_version(), "runs": facts.list()})

    @router.get("/api/train/run/{name}")
    def run(name: str) -> Response:
        return answer(facts.one(observer.run(name)))

    @router.get("/api/train/run/{name}/rows")
    def rows(name: str, since: int = 0) -> Response:
        return answer(observer.curve_rows(name, since))

    @router.get("/api/train/run/{name}/log")
    def log(name: str) -> Response:
        return answer(run_log(observer.run(name)))

    @router.get("/api/train/run/{name}/beside/{other}")
    def beside(name: str, other: str) -> Response:
        return answer(compare_runs(observer.run(name), observer.run(other)))

    _add_actions(router, observer)
    return router


def _add_actions(router: APIRouter, observer: Observer) -> None:
    """The routes that change something."""

    def changed(started: Started) -> Response:
        observer.forget()
        return answer({"run": started.run.id, "new": started.new})

    @router.post("/api/train/run/{name}/stop")
    def stop(name: str) -> Response:
        request_stop(observer.run(name))
        observer.forget()
        return answer({})

    @router.post("/api/train/run/{name}/finish")
    def finish(name: str) -> Response:
        request_finish(observer.run(name))
        observer.forget()
        return answer({})

    @router.post("/api/train/run/{name}/resume")
    def resume(name: str) -> Response:
        return changed(resume_run(observer.runs, observer.run(name)))

    @router.post("/api/train/run/{name}/extend")
    def extend(name: str, more: More) -> Response:
        return changed(extend_run(observer.runs, observer.run(name), more.passes))

    @router.post("/api/train/run/{name}/compare")
    def compare(name: str, against: Against) -> Response:
        run = observer.run(name)
        require_possible(run, against.method)
        started = start_companion(observer.runs, run, method=against.method)
        _refresh_if_missing(observer, run, started, against.method)
        return changed(started)

    @router.post("/api/train/run/{name}/delete")
    def delete(name: str) -> Response:
        observer.runs.delete(observer.run(name).id)
        observer.forget()
        return answer({})


def _refresh_if_missing(observer: Observer, run: RunFolder, beside: Started, method: str) -> None:
    """Put a companion that is complete into the report of `run`, where its worker could not."""
    runs = (run, beside.run)
    if beside.new or any(observer.watch(each).state is not RunStatus.COMPLETED for each in runs):
        return
    if companion_of(run, method) != beside.run.id and not observer.tasks.live("report", run=run.id):
        observer.tasks.start("report", {"run": run.id})


def build(observer: Observer) -> None:
    """Lay the page out."""
    with gr.Column(elem_id="train-card", elem_classes="card"):
        gr.HTML(f"<h2>{text.START_TITLE}</h2>", elem_id="train-title", padding=False)
        form = TrainForm(observer)
    surface("monitor", elem_id="monitor")
    surface("runs", elem_id="runs")
    form.connect()
