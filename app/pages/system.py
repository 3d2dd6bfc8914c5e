"""The System page: this computer, the disk, what left the machine, licences, the notice."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.observe import Observer
from app.routes import answer
from app.shell import surface
from app.system_facts import describe_system, start_check
from core.disk import delete_item


class Deletion(BaseModel):
    """One data set or store of features that is to be deleted."""

    kind: Literal["datasets", "features"]
    name: str


def make_router(observer: Observer) -> APIRouter:
    """The routes of this page."""
    router = APIRouter()

    @router.get("/api/system")
    def system(request: Request) -> Response:
        return answer(describe_system(observer, request.app.state.blocked))

    @router.post("/api/system/check")
    def check(request: Request) -> Response:
        start_check(observer)
        return answer(describe_system(observer, request.app.state.blocked))

    @router.post("/api/system/delete")
    def delete(request: Request, what: Deletion) -> Response:
        freed = delete_item(observer.workspace, what.kind, what.name)
        observer.forget()
        return answer(describe_system(observer, request.app.state.blocked) | {"freed": freed})

    return router


def build(observer: Observer) -> None:
    """Lay the page out."""
    surface("system", elem_id="system")
