"""The Export page: the report, and the folder with everything to use the student elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel

from app.export_facts import describe_export, finished_run
from app.guard import REPORT_CSP
from app.observe import Observer
from app.routes import answer
from app.shell import surface
from app.text import export as text
from core.errors import ExportError
from core.inference.hand_over import (
    REPORT,
    choose_target,
    hand_over_files,
    mark_handed_over,
    zip_pieces,
)
from core.runs.layout import RunFolder

# Stricter than the app's: the report has no script, asks for nothing, and may do nothing.


class Place(BaseModel):
    """Where to copy to, as it was typed."""

    folder: str


def make_router(observer: Observer) -> APIRouter:
    """The routes of this page."""
    router = APIRouter()
    starting = threading.Lock()

    def start(kind: str, run: RunFolder, **wanted: str) -> None:
        """One task of a kind for a run at a time, however often it is asked for."""
        with starting:
            if observer.tasks.live(kind, run=run.id) is None:
                observer.tasks.start(kind, {"run": run.id, **wanted})
        observer.forget()

    @router.get("/api/export")
    def export(run: str = "") -> Response:
        return answer(describe_export(observer, run))

    @router.post("/api/export/{name}/copy")
    def copy(name: str, place: Place) -> Response:
        run = finished_run(observer, name)
        target = choose_target(place.folder, observer.workspace)
        start("hand_over", run, folder=str(target))
        return answer(describe_export(observer, run.id))

    @router.post("/api/export/{name}/report")
    def write(name: str) -> Response:
        run = finished_run(observer, name)
        start("report", run)
        return answer(describe_export(observer, run.id))

    @router.get("/api/export/{name}/report")
    def report(name: str) -> Response:
        file = finished_run(observer, name).report / REPORT
        if not file.is_file():
            raise ExportError("X21", text.NO_REPORT, todo=text.NO_REPORT_TODO)
        return HTMLResponse(file.read_bytes(), headers={"content-security-policy": REPORT_CSP})

    @router.get("/api/export/{name}/zip")
    def pack(name: str) -> Response:
        run = finished_run(observer, name)
        folder = f"{run.id}-student"
        files = hand_over_files(run)

        def pieces() -> Iterator[bytes]:
            yield from zip_pieces(files, folder)
            mark_handed_over(run)  # only once all of it is on its way
            observer.forget()

        named = {"content-disposition": f'attachment; filename="{folder}.zip"'}
        return StreamingResponse(pieces(), media_type="application/zip", headers=named)

    return router


def build(observer: Observer) -> None:
    """Lay the page out."""
    surface("export", elem_id="export")
