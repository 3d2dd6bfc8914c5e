"""The web application over one workspace: our routes, Gradio's pages, the guard before both."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from app.errors import answer_error
from app.guard import Guard
from app.observe import Observer
from app.pages import data, export, models, system, test, train
from app.quick import slow_down_queue, without_routes
from app.routes import make_router
from app.shell import page
from app.text.shell import NAME, STEPS
from app.theme import clinical_theme
from core.errors import BedsideError

PAGES = {
    "data": data,
    "models": models,
    "train": train,
    "test": test,
    "export": export,
    "system": system,
}
HERE = Path(__file__).resolve().parent
FONTS = HERE.parent / "assets" / "fonts"
HEAD = """
<link rel="icon" href="/ws/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/ws/static/narrow.css">
<script>
  const dark = /(^|; )bedside-theme=dark/.test(document.cookie);
  const light = /(^|; )bedside-theme=light/.test(document.cookie);
  const wish = matchMedia('(prefers-color-scheme: dark)').matches;
  const apply = () => document.body?.classList.toggle('dark', dark || (wish && !light));
  apply(); document.addEventListener('DOMContentLoaded', apply);
</script>
"""


def make_app(workspace: Path, token: str, port: int) -> ASGIApp:
    """Build the application, behind its guard.

    Args:
        workspace: Where everything is.
        token: The secret that opens it.
        port: The port it will be reached at.
    """
    observer = Observer(workspace)
    api = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    api.state.blocked = 0
    api.state.observer = observer
    for kind in (BedsideError, Exception):
        api.add_exception_handler(kind, answer_error)
    api.include_router(make_router(observer))
    for module in PAGES.values():
        api.include_router(module.make_router(observer))
    api.mount("/ws/static", StaticFiles(directory=HERE / "static"))
    api.mount("/ws/fonts", StaticFiles(directory=FONTS))
    with without_routes():
        blocks = _blocks(observer)
    gr.mount_gradio_app(
        api,
        blocks,
        path="/",
        theme=clinical_theme(),
        css_paths=[HERE / "static" / f"{name}.css" for name in ("style", *PAGES)],
        head=HEAD,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        max_file_size="1kb",  # nothing is uploaded through Gradio; the guard closes its route
        allowed_paths=[],
        blocked_paths=[str(workspace)],
    )
    blocks.app = api.routes[-1].app  # type: ignore[attr-defined]
    return Guard(api, token, port)  # outside of everything, also of what answers for a crash


def _blocks(observer: Observer) -> gr.Blocks:
    blocks = gr.Blocks(analytics_enabled=False, title=NAME, delete_cache=(3600, 3600))
    for step in STEPS:
        place = blocks if step.path == "/" else blocks.route(f"{step.title}", step.path)
        with place, page(step.key):
            PAGES[step.key].build(observer)
    blocks.queue(max_size=40)
    slow_down_queue(blocks)
    return blocks
