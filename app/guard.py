"""What stands before every route, ours and Gradio's: who may ask, and what an answer may do.

Gradio answers any Host, lets a foreign page upload, and offers routes that Bedside does not use
(`reference/reliability.md` c.4). A request passes only if it is addressed to this machine, comes
from Bedside's own page, and carries the cookie that the start-up link has set.
"""

from __future__ import annotations

import hmac
import re
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.text.guard import FOREIGN, LOCKED, TOO_LARGE, page

ENTER = "/enter"
LARGEST_BODY = 72 * 2**20  # bytes; an ingested batch is at most 64 MiB (app.ingest)
CSP = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio needs both
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "frame-src 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "report-uri /api/csp",
    )
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
}
# Gradio's own routes that Bedside has no use for
CLOSED = re.compile(
    r"/(gradio_api/(upload|proxy=|file=|stream|runs|openapi|deep_link|vibe|login|mcp|component_server)"
    r"|monitoring|openapi\.json|login|logout|manifest\.json|docs|redoc)"
)
LASTING = re.compile(r"/(assets/.*|ws/static/vendor/.*|ws/fonts/.*|static/fonts/.*)")


class Guard:
    """ASGI middleware.

    Args:
        app: What it guards.
        token: The secret of this workspace's server.
        port: The port it listens on.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._token = token
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        self._cookie = cookie_name(port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 or 413, or pass the request on and add the headers to its answer."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no web sockets
        refusal = self._refuse(scope)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send, scope["path"]))
            return
        await self._app(scope, _limited(receive), _with_headers(send, scope["path"]))

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        path = unquote(scope["path"])
        host = headers.get("host", "")
        if host not in self._hosts or not _own_origin(headers, host, path):
            return PlainTextResponse(FOREIGN, 403)
        if path == ENTER:
            return self._enter(scope)
        if not self._knows(headers):
            return HTMLResponse(page(LOCKED), 403)
        if CLOSED.match(path):
            return PlainTextResponse(FOREIGN, 403)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return PlainTextResponse(TOO_LARGE, 413)
        return None

    def _enter(self, scope: Scope) -> Response:
        """Exchange the token of the start-up link for a cookie."""
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        if not _equal(asked.get("token", [""])[0], self._token):
            return HTMLResponse(page(LOCKED), 403)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return answer

    def _knows(self, headers: Headers) -> bool:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        found = cookies.get(self._cookie)
        return found is not None and _equal(found.value, self._token)


def cookie_name(port: int) -> str:
    """Cookies are shared by all ports of a machine, so the port stands in the name."""
    return f"bedside-{port}"


def _equal(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode("utf-8"))


def _own_origin(headers: Headers, host: str, path: str) -> bool:
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return False
    # a link from elsewhere may lead to the entrance, which asks for the token, and nowhere else
    return path == ENTER or headers.get("sec-fetch-site", "none") in {"none", "same-origin"}


def _limited(receive: Receive) -> Receive:
    """Cut off a body that is longer than its header says or allows."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > LARGEST_BODY:
            return {"type": "http.disconnect"}
        return message

    return limited


def _with_headers(send: Send, path: str) -> Send:
    lasting = "private, max-age=31536000, immutable" if LASTING.fullmatch(path) else "no-store"

    async def wrapped(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name in [key for key in headers if key.startswith("access-control-")]:
                del headers[name]
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers["cache-control"] = lasting
        await send(message)

    return wrapped
