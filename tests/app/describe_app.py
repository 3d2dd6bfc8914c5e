"""Prints what the real application consists of, as JSON: ``python -m tests.app.describe_app DIR``.

A process of its own, because gradio leaves event loops behind in the one that imports it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.guard import Guard
from app.server import make_app

SETTINGS = (
    "analytics_enabled", "run_history", "enable_monitoring", "show_error", "ssr_mode", "pwa",
    "allowed_paths", "max_file_size", "footer_links", "auth",
)  # fmt: skip


def routes_of(app: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Every method and path of an application and of what is mounted in it."""
    for route in app.routes:
        if hasattr(route, "original_router"):  # how fastapi keeps an included router
            yield from routes_of(route.original_router, before + route.include_context.prefix)
            continue
        path = before + route.path
        for method in getattr(route, "methods", None) or ["GET"]:
            yield method, path
        if hasattr(route, "app") and hasattr(route.app, "routes"):
            yield from routes_of(route.app, path.rstrip("/"))


def describe(workspace: Path) -> dict[str, Any]:
    """Routes and settings of the application as it is served."""
    guard = make_app(workspace, "t" * 43, 8710)
    assert isinstance(guard, Guard)
    mounted = guard._app.routes[-1].app  # type: ignore[attr-defined]
    blocks = mounted.get_blocks()
    return {
        "routes": sorted(set(routes_of(guard._app))),
        "settings": {name: getattr(blocks, name) for name in SETTINGS},
        "one_app": blocks.app is mounted,
        "torch": "torch" in sys.modules,
    }


if __name__ == "__main__":
    print(json.dumps(describe(Path(sys.argv[1]))))
