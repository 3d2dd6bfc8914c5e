"""The Data page: where the images are, what was found in them, and how they are divided."""

from __future__ import annotations

import gradio as gr
from fastapi import APIRouter, Response
from pydantic import BaseModel

from app import ingest, thumbs
from app.found import Findings, file_name, image_facts, image_list, unusable_names
from app.observe import Observer
from app.pages import data_report
from app.pages.data_forms import DataForms
from app.routes import answer
from app.shell import surface
from app.source import describe_state, start_import
from app.text import data as text
from core.projects import Project


class Dropped(BaseModel):
    """Files that have arrived (`app.ingest`) and are to become a project."""

    id: str


def make_router(observer: Observer) -> APIRouter:
    """The routes of this page, of thumbnails and of dropped files."""
    router = APIRouter()
    router.include_router(ingest.make_router(observer))
    router.include_router(thumbs.make_router(observer))
    router.include_router(data_report.make_router(observer))
    findings = Findings(observer.workspace)
    incoming = ingest.Incoming(observer.workspace)
    _add_readings(router, observer, findings)

    @router.post("/api/data/dropped")
    def dropped(what: Dropped) -> Response:
        arrived = incoming.open(what.id)
        project = observer.projects.for_source(str(arrived.source), arrived.title)
        return answer({"task": start_import(observer, project)})

    @router.post("/api/data/project/{name}/open")
    def open_project(name: str) -> Response:
        observer.projects.choose(observer.projects.open(name))
        observer.forget()
        return answer({})

    @router.post("/api/data/project/{name}/read")
    def read(name: str) -> Response:
        return answer({"task": start_import(observer, observer.projects.open(name))})

    @router.post("/api/data/project/{name}/delete")
    def delete(name: str) -> Response:
        deletion = observer.projects.delete(observer.projects.open(name))
        observer.forget()
        return answer({"bytes": deletion.bytes})

    return router


def _add_readings(router: APIRouter, observer: Observer, findings: Findings) -> None:
    """The routes that change nothing."""

    def opened(name: str) -> Project:
        return observer.projects.open(name)

    @router.get("/api/data/state")
    def state() -> Response:
        return answer(describe_state(observer, findings))

    @router.get("/api/data/project/{name}/images")
    def images(name: str) -> Response:
        return answer(image_list(findings.dataset(opened(name))))

    @router.get("/api/data/project/{name}/image/{row}")
    def image(name: str, row: int) -> Response:
        return answer({"facts": image_facts(findings.dataset(opened(name)), row)})

    @router.get("/api/data/project/{name}/image/{row}/file")
    def image_file(name: str, row: int) -> Response:
        return answer({"file": file_name(findings.dataset(opened(name)), row)})

    @router.get("/api/data/project/{name}/unusable/{code}")
    def unusable(name: str, code: str) -> Response:
        return answer(unusable_names(findings.dataset(opened(name)), code))

    @router.get("/api/data/project/{name}/deletion")
    def deletion(name: str) -> Response:
        found = observer.projects.deletion(opened(name))
        return answer({"bytes": found.bytes, "runs": found.runs, "shared": found.shared,
                       "pictures": bool(found.folders)})  # fmt: skip


def build(observer: Observer) -> None:
    """Lay the page out."""
    forms = DataForms(observer)
    surface("data", elem_id="project")
    with gr.Row(elem_id="source"):
        with gr.Column(scale=3, elem_classes="stack"):
            with gr.Column(elem_id="source-card", elem_classes="card"):
                forms.build_source()
                forms.place_problem("source")
                surface("data", elem_id="drop")
            gr.HTML(LAYOUT, elem_id="arrange", padding=False)
        with gr.Column(scale=2, min_width=300, elem_classes="stack"):
            with gr.Column(elem_id="demo-card", elem_classes="card"):
                gr.HTML(f"<h2>{text.DEMO_TITLE}</h2><p>{text.DEMO_WORDS}</p>", padding=False)
                forms.build_demo()
            surface("data", elem_id="recent")
    surface("attention", elem_id="look")
    surface("found", elem_id="found")
    surface("attention", elem_id="guess")
    with gr.Accordion(text.DIVIDE, open=False, elem_id="divide"):
        forms.build_split()
    surface("images", elem_id="images")
    with gr.Accordion(text.SETTINGS, open=False, elem_id="settings") as accordion:
        forms.build_settings(accordion)
    forms.connect()


LAYOUT = f"""<section class="card arrange"><h2>{text.LAYOUT_TITLE}</h2>
<div class="arrange-ways"><div><p>{text.LAYOUT_FOLDERS}</p>
<pre>ultrasound/
  benign/     0412.dcm  0413.png
  malignant/  0007.dcm  0009.png</pre></div>
<div><p>{text.LAYOUT_TABLE}</p>
<pre>labels.csv
  file,label,patient_id
  0412.dcm,benign,P17</pre></div></div>
<p class="small-print">{text.LAYOUT_KINDS}</p></section>"""
