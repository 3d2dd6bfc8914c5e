"""The Data page's routes about what an import found: its report, its tables, its remedies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from app.guard import REPORT_CSP
from app.import_facts import division_table, file_table, report_page
from app.observe import Observer
from app.preview import Names, as_settings, describe_columns, propose
from app.routes import answer
from app.source import start_import
from core.data.columns import Proposal
from core.data.manifest import open_dataset, read_paths
from core.data.pattern import preview_pattern
from core.projects import Project, require_idle

CSV = "text/csv; charset=utf-8"


class Pattern(BaseModel):
    """How a patient is recognised in the file names."""

    pattern: str = Field(max_length=500)


def make_router(observer: Observer) -> APIRouter:
    """The routes."""
    router = APIRouter()
    workspace = observer.workspace

    @router.get("/api/data/project/{name}/report")
    def report(name: str) -> Response:
        page = report_page(observer.projects.open(name), workspace, pictures=True)
        return HTMLResponse(page, headers={"content-security-policy": REPORT_CSP})

    @router.get("/api/data/project/{name}/report/file")
    def report_file(name: str) -> Response:
        page = report_page(observer.projects.open(name), workspace, pictures=False)
        return HTMLResponse(page, headers=_named("import-report.html"))

    @router.get("/api/data/project/{name}/division")
    def division(name: str) -> Response:
        content = division_table(observer.projects.open(name), workspace)
        return Response(content, media_type=CSV, headers=_named("division.csv"))

    @router.get("/api/data/project/{name}/files")
    def files(name: str) -> Response:
        content = file_table(observer.projects.open(name), workspace)
        return Response(content, media_type=CSV, headers=_named("files.csv"))

    @router.post("/api/data/project/{name}/pattern/look")
    def look(name: str, about: Pattern) -> Response:
        project = observer.projects.open(name)
        names = read_paths(open_dataset(project.folder, workspace).folder)
        found = preview_pattern(sorted(set(names.values())), about.pattern)
        examples = [[each.before, each.patient, each.after] for each in found.examples]
        return answer({"sentence": found.sentence, "examples": examples})

    @router.post("/api/data/project/{name}/pattern")
    def use(name: str, about: Pattern) -> Response:
        return answer({"task": _change(name, "data", patient_pattern=about.pattern)})

    @router.get("/api/data/project/{name}/columns")
    def columns(name: str) -> Response:
        return answer({"columns": describe_columns(_proposal(name))})

    @router.post("/api/data/project/{name}/columns")
    def use_columns(name: str) -> Response:
        return answer({"task": _change(name, "data", **as_settings(_proposal(name)))})

    @router.post("/api/data/project/{name}/unlabelled")
    def unlabelled(name: str) -> Response:
        return answer({"task": _change(name, "data", labels="none")})

    @router.post("/api/data/project/{name}/anew")
    def anew(name: str) -> Response:
        return answer({"task": _change(name, "split", origin="new", file="")})

    def _proposal(name: str) -> Proposal:
        settings = observer.projects.open(name).config.data
        return propose(settings, Path(settings.source), Names())

    def _change(name: str, group: str, **values: Any) -> str:
        project = observer.projects.open(name)
        require_idle(workspace, project)
        before = project.config
        settings = type(getattr(before, group)).model_validate(
            getattr(before, group).model_dump() | values
        )
        changed: Project = observer.projects.save(
            project, before.model_copy(update={group: settings})
        )
        return start_import(observer, changed, decoded=group == "split")

    return router


def _named(file: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{file}"'}
