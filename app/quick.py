"""What Gradio does that Bedside has no use for, left out: half of the time to start, and idle work.

Gradio writes a type stub beside each of its eighty components whenever it is imported, builds its
ninety routes anew after every page, and looks into its empty queue a thousand times a second. All
is left out if it is found where it is now, and left alone otherwise, so that another version of
Gradio starts slower but no differently.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI
    from gradio import Blocks

STUBS = "gradio.component_meta"
NAME = "App"  # of what makes routes, in gradio.blocks
LOOKS_S = {"sleep_when_free": 0.05, "progress_update_sleep_when_free": 0.25}


class _WithoutStubs(MetaPathFinder):
    """Finds one module, once, and takes the writing of stubs out of it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Called by ``import``; None for every other module."""
        if fullname != STUBS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_without(module: ModuleType) -> None:
            execute(module)
            if hasattr(module, "create_or_modify_pyi"):
                module.create_or_modify_pyi = lambda *_: None  # type: ignore[attr-defined]

        spec.loader.exec_module = execute_without  # type: ignore[method-assign]
        return spec


def import_without_stubs() -> None:
    """Let the coming ``import gradio`` write no type stubs; of no effect after it."""
    if STUBS not in sys.modules:
        sys.meta_path.insert(0, _WithoutStubs())


@contextmanager
def without_routes() -> Iterator[None]:
    """Lay out Gradio pages without building the routes of each; mounting builds them for all."""
    from gradio import blocks

    class NoRoutes:
        @staticmethod
        def create_app(*_: Any, **__: Any) -> FastAPI | None:
            return None

    kept = getattr(blocks, NAME, None)
    if kept is not None:
        setattr(blocks, NAME, NoRoutes)
    try:
        yield
    finally:
        if kept is not None:
            setattr(blocks, NAME, kept)


def slow_down_queue(blocks: Blocks) -> None:
    """Look into the queue twenty times a second; hardly anything of Bedside goes through it.

    A thousand times a second took 6 % of a core of an idle laptop.
    """
    queue = getattr(blocks, "_queue", None)
    for name, seconds in LOOKS_S.items():
        if isinstance(getattr(queue, name, None), float):
            setattr(queue, name, seconds)
