"""The routes every page uses: the state once a second, a run's curves, tasks, static files."""

from __future__ import annotations

import logging
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from app.observe import Observer, project_version
from app.text.shell import DEVICE
from core.runs.process import request_stop
from core.tasks.store import read_request, task_result

log = logging.getLogger("bedside")


def answer(content: Any) -> Response:
    """`content` as JSON; never a NaN."""
    return Response(orjson.dumps(content, default=str), media_type="application/json")


def make_router(observer: Observer) -> APIRouter:
    """The routes over one workspace."""
    router = APIRouter()

    @router.get("/api/live")
    def live(run: str = "", since: int = 0, task: str = "") -> Response:
        project = observer.project()
        state: dict[str, Any] = {
            "project": None,
            "device": DEVICE,
            "jobs": observer.live_jobs(),
            "runs": observer.runs_version(),
            "ticks": ticks(observer),
        }
        if project:
            state["project"] = {
                "id": project.id,
                "title": project.title,
                "imported": project.is_imported,
                "version": project_version(project),
            }
        if run:
            state["run"] = observer.curve_rows(run, since)
        if task:
            folder = observer.tasks.open(task)
            facts = observer.watch(folder).summary()
            state["task"] = facts | {"kind": read_request(folder)["kind"]}
        return answer(state)

    @router.get("/api/task/{name}")
    def task(name: str) -> Response:
        folder = observer.tasks.open(name)
        facts = observer.watch(folder).summary()
        return answer(facts | read_request(folder) | {"result": task_result(folder)})

    @router.post("/api/task/{name}/stop")
    def stop_task(name: str) -> Response:
        request_stop(observer.tasks.open(name))
        return answer({})

    @router.post("/api/csp")
    async def csp(request: Request) -> Response:
        """What a page tried to load and may not: counted, shown on System, tested to be none."""
        found = orjson.loads(await request.body()).get("csp-report", {})
        log.warning("blocked by the content policy: %s", found.get("violated-directive", "?"))
        request.app.state.blocked += 1
        return Response(status_code=204)

    return router


def ticks(observer: Observer) -> dict[str, bool]:
    """Which steps are done, from what is on disk."""
    project = observer.project()
    if project is None:
        return dict.fromkeys(("data", "models", "train", "test", "export"), False)
    mine = [line for line in observer.list_runs() if line.source == project.config.data.source]
    done = [line for line in mine if line.status.value == "completed"]
    return {
        "data": project.is_imported,
        "models": project.is_imported and bool(mine or project.chose_models),
        "train": bool(done),
        "test": any((observer.runs.folder / line.id / "examined").exists() for line in done),
        "export": any((observer.runs.folder / line.id / "handed_over").exists() for line in done),
    }
