"""One place where an app's handler fails: the sentence stays on the page, with its code.

This is the second of the two places with a broad ``except`` (the other is the worker's frame).
"""

from __future__ import annotations

import functools
import html
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse

from core.errors import BedsideError
from core.runs.work import describe_error

P = ParamSpec("P")
R = TypeVar("R")
log = logging.getLogger("bedside")
STATUS = 409  # understood, and it cannot be done as things are


def as_facts(error: BaseException) -> dict[str, str]:
    """What the page shows: ``{"code", "what", "item", "todo"}``; nothing quoted from the data."""
    if isinstance(error, BedsideError):
        return {
            "code": error.code, "what": error.what.rstrip(".") + ".", "item": error.item,
            "todo": error.todo,
        }  # fmt: skip
    log.error("unforeseen: %s", describe_error(error))
    return {
        "code": "R99",
        "what": f"Something unforeseen went wrong ({type(error).__name__}).",
        "item": "",
        "todo": "Try again. If it stays, System shows where the log lies; send us that file.",
    }


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """FastAPI's handler for whatever a route raises."""
    return JSONResponse({"error": as_facts(error)}, STATUS)


def guarded(
    otherwise: Callable[[dict[str, str]], R],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a Gradio handler: if it fails, `otherwise` makes its outputs of the facts."""

    def decorate(handler: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(handler)
        def called(*arguments: P.args, **named: P.kwargs) -> R:
            try:
                return handler(*arguments, **named)
            except Exception as error:
                return otherwise(as_facts(error))

        return called

    return decorate


def problem_html(facts: dict[str, str] | None) -> str:
    """An error as it stays on the page, in the look of `.problem`; nothing where there is none."""
    if not facts:
        return ""
    what, item, todo, code = (html.escape(facts[key]) for key in ("what", "item", "todo", "code"))
    named = f' <span class="item">{item}</span>' if item else ""
    return (
        f'<div class="problem" role="alert"><b>{what}</b>{named}'
        f"<p>{todo} <code>{code}</code></p></div>"
    )
