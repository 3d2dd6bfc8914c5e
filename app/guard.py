"""What stands before every route, ours and Gradio's: who may ask what, and what an answer may do.

Gradio answers any Host, lets a foreign page upload, and offers routes that Bedside does not use
(`reference/reliability.md` c.4). A request passes only if it is addressed to this machine, comes
from Bedside's own page, carries the cookie that the start-up link has set, and asks for something
that Bedside offers.
"""

from __future__ import annotations

import hmac
import re
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.text.guard import CROSSED, FOREIGN, LOCKED, NOTHING_HERE, TOO_LARGE, page

ENTER = "/enter"
LARGEST_BODY = 2 * 2**20  # bytes
LARGEST_BATCH = 72 * 2**20  # an ingested batch is at most 64 MiB (app.ingest)
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
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
# All that there is. Gradio's other routes (upload, file=, proxy=, stream, component_server, runs,
# monitoring, openapi, login, vibe, ...) and those of its next version have nothing to do here.
OPEN = re.compile(
    r"/(?:(?:models|train|test|export|system)/?)?"
    r"|/api/[\w./-]+"
    r"|/ws/(?:static|fonts)/[\w./-]+"
    r"|/(?:assets|static)/[\w@./-]+"
    r"|/(?:config|theme\.css|favicon\.ico)"
    r"|/gradio_api/(?:run/\w+|queue/(?:join|data)|heartbeat/\w+)"
)
INGEST = re.compile(r"/api/ingest/[\w-]+")
HASHED = re.compile(r"/assets/.*|/ws/fonts/.*")  # another content has another name
CHECKED = re.compile(r"/ws/static/.*|/static/.*")  # asked for anew each time, sent if it changed
# of a report, which is one file and needs nothing
REPORT_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)


class Guard:
    """An ASGI application around another one.

    Args:
        app: What it guards.
        token: The secret of this workspace's server.
        port: The port it listens on.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._token = token
        names = ("127.0.0.1", "localhost", "[::1]")
        self._hosts = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())
        self._cookie = cookie_name(port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on; add the headers to every answer."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            send = _with_headers(send, scope["path"])
            refusal = self._refuse(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
            else:
                await _Limited(self._app, _largest(scope["path"]))(scope, receive, send)
        else:  # no web sockets
            await send({"type": "websocket.close", "code": 1008})

    def _refuse(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "")
        if host not in self._hosts or headers.get("origin", f"http://{host}") != f"http://{host}":
            return PlainTextResponse(FOREIGN, 403)
        own = headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
        if path == ENTER:
            return self._enter(scope, own)
        if not own:  # a link from elsewhere may lead to the entrance only, which asks for the token
            return PlainTextResponse(FOREIGN, 403)
        if not self._knows(headers):
            return HTMLResponse(page(LOCKED), 403)
        if ".." in path or not OPEN.fullmatch(path):
            return HTMLResponse(page(NOTHING_HERE), 404)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _largest(path):
            return PlainTextResponse(TOO_LARGE, 413)
        return None

    def _enter(self, scope: Scope, own: bool) -> Response:
        """Exchange the token of the start-up link for a cookie."""
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        if not _equal(asked.get("token", [""])[0], self._token):
            return HTMLResponse(page(LOCKED), 403)
        # after a link on a foreign page, the browser keeps the cookie back from a redirection
        answer = RedirectResponse("/", 303) if own else HTMLResponse(page(CROSSED, onward="/"))
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return answer

    def _knows(self, headers: Headers) -> bool:
        """Look for our cookie among those of every other program on this machine."""
        for header in headers.getlist("cookie"):
            for part in header.split(";"):
                name, _, value = part.strip().partition("=")
                if name == self._cookie and _equal(value, self._token):
                    return True
        return False


class _Limited:
    """Cuts off a body that is longer than allowed, whatever its header says."""

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self._app = app
        self._left = largest
        self._answered = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def limited() -> Message:
            message = await receive()
            self._left -= len(message.get("body", b""))
            return {"type": "http.disconnect"} if self._left < 0 else message

        async def heard(message: Message) -> None:
            if self._left >= 0 or self._answered:
                self._answered = True
                await send(message)

        try:
            await self._app(scope, limited, heard)
        except Exception:
            if self._left >= 0:
                raise
        if not self._answered and self._left < 0:
            await PlainTextResponse(TOO_LARGE, 413)(scope, receive, send)


def cookie_name(port: int) -> str:
    """Cookies are shared by all ports of a machine, so the port stands in the name."""
    return f"bedside-{port}"


def _equal(given: str, token: str) -> bool:
    """Compare in a time that tells nothing about where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode("utf-8"))


def _largest(path: str) -> int:
    return LARGEST_BATCH if INGEST.fullmatch(path) else LARGEST_BODY


def _with_headers(send: Send, path: str) -> Send:
    lasting = "private, max-age=31536000, immutable" if HASHED.fullmatch(path) else "no-store"
    lasting = "private, no-cache" if CHECKED.fullmatch(path) else lasting

    async def wrapped(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name in [key for key in headers if key.startswith("access-control-")]:
                del headers[name]
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("content-security-policy", CSP)  # a report's is stricter
            worked = message["status"] in (200, 206, 304)
            headers["cache-control"] = lasting if worked else "no-store"
        await send(message)

    return wrapped
