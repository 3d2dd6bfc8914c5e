"""The guard around a tiny application, and around every route that the real one has."""

from __future__ import annotations

import asyncio
import hmac
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import guard as module
from app.guard import CSP, LARGEST_BATCH, LARGEST_BODY, Guard

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "t" * 43
PORT = 8710
HOST = f"127.0.0.1:{PORT}"
COOKIE = {"cookie": f"bedside-{PORT}={TOKEN}"}
REPORT = "/api/csp"
BATCH = "/api/ingest/some-batch"
# what gradio 6.31 offers and Bedside does not (reference/reliability.md c.4)
CLOSED = [
    "/gradio_api/upload", "/gradio_api/upload?upload_id=1", "/gradio_api/upload_progress",
    "/gradio_api/file=/etc/passwd", "/gradio_api/file/etc/passwd", "/gradio_api/proxy=http://x.y/",
    "/gradio_api/file=http://127.0.0.1:1/", "/gradio_api/file=file:///etc/passwd",
    "/gradio_api/file=//server/share/x", "/gradio_api/stream/1", "/gradio_api/component_server",
    "/gradio_api/runs", "/gradio_api/runs/", "/gradio_api/run-history/connect",
    "/gradio_api/run-history/records", "/gradio_api/openapi.json", "/gradio_api/deep_link",
    "/gradio_api/mcp/sse", "/gradio_api/login_check", "/gradio_api/token", "/gradio_api/user",
    "/gradio_api/vibe-edit", "/gradio_api/vibe-code", "/gradio_api/dev/reload",
    "/gradio_api/profiling/traces", "/gradio_api/process_recording", "/gradio_api/api/predict",
    "/gradio_api/call/x", "/gradio_api/custom_component/a/b/c/d", "/gradio_api/cancel",
    "/monitoring", "/monitoring/summary", "/openapi.json", "/docs", "/redoc", "/login", "/logout",
    "/manifest.json", "/pwa_icon", "/robots.txt", "/run/predict", "/svelte/x.js",
    "/gradio_api/info", "/gradio_api/app_id", "/gradio_api/startup-events",
]  # fmt: skip
TRAVERSALS = [
    "/ws/static/../main.py", "/ws/static/../../app/main.py", "/assets/../../../../etc/passwd",
    "/static/..", "/ws/static/..\\main.py", "/api/../config", "/assets/%2e%2e/x",
    "/ws/static/%2e%2e/main.py", "/assets/a\0b", "//etc/passwd", "/ws/static//etc/passwd/..",
    "/gradio_api/file=..%2f..%2fetc", "/gradio_api/file=/work/../etc/passwd",
]  # fmt: skip


class Answer:
    """What came back."""

    def __init__(self, messages: list[Message]) -> None:
        starts = [message for message in messages if message["type"] == "http.response.start"]
        assert len(starts) == 1, messages
        self.status: int = starts[0]["status"]
        self.headers = {key.decode(): value.decode() for key, value in starts[0]["headers"]}
        self.body = b"".join(message.get("body", b"") for message in messages)


def ask(
    app: ASGIApp, path: str, headers: dict[str, str] | None = None, method: str = "GET",
    body: Iterable[bytes] = (),
) -> Answer:  # fmt: skip
    """Send one request, its path as the server hands it on, which is decoded once."""
    path, _, query = path.partition("?")
    sent: list[Message] = []
    chunks = iter([*body, None])

    async def receive() -> Message:
        chunk = next(chunks, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    async def send(message: Message) -> None:
        sent.append(message)

    all_headers = {"host": HOST} | (headers or {})
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "scheme": "http",
        "root_path": "", "query_string": query.encode(), "http_version": "1.1", "app": None,
        "headers": [(key.encode(), value.encode()) for key, value in all_headers.items()],
        "client": ("127.0.0.1", 5), "server": ("127.0.0.1", PORT), "state": {},
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return Answer(sent)


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole body, then answer with its size; allows everybody everything."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        size, more = size + len(message["body"]), message["more_body"]
    headers = {"access-control-allow-origin": "*", "x-frame-options": "ALLOW"}
    await PlainTextResponse(str(size), headers=headers)(scope, receive, send)


@pytest.fixture
def guarded() -> Guard:
    return Guard(inner, TOKEN, PORT)


def test_own_page_passes(guarded: Guard) -> None:
    fetch = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}
    for path in (
        "/",
        "/train",
        "/api/live?run=x",
        REPORT,
        "/ws/static/live.js",
        "/assets/a-B_1.js",
    ):
        assert ask(guarded, path, COOKIE | fetch).status == 200, path
    for host in (f"localhost:{PORT}", f"[::1]:{PORT}"):
        assert ask(guarded, "/", COOKIE | {"host": host}).status == 200


@pytest.mark.parametrize(
    "foreign",
    [
        {"host": "evil.example"}, {"host": f"evil.example:{PORT}"}, {"host": ""},
        {"host": "127.0.0.1:1"}, {"host": "127.0.0.1"}, {"host": f"127.0.0.1.evil.example:{PORT}"},
        {"host": f"0.0.0.0:{PORT}"}, {"origin": "http://evil.example"}, {"origin": "null"},
        {"origin": ""}, {"origin": "http://127.0.0.1:1"}, {"origin": f"https://{HOST}"},
        {"origin": f"http://localhost:{PORT}"}, {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "odd"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_foreign_requests_are_refused(
    guarded: Guard, foreign: dict[str, str], method: str
) -> None:  # fmt: skip
    for path in ("/", "/config", "/api/live", "/gradio_api/upload", "/ws/static/live.js"):
        answer = ask(guarded, path, COOKIE | foreign, method)
        assert answer.status == 403
        assert b"E20" in answer.body


@pytest.mark.parametrize(
    "cookie",
    [
        "", "bedside-8710=", "bedside-8710=wrong", f"bedside-8711={TOKEN}", f"other={TOKEN}",
        f"bedside-8710={TOKEN}x", f"bedside-8710={TOKEN[:-1]}", f"x=bedside-8710={TOKEN}",
        "bedside-8710=ü",
    ],
)  # fmt: skip
def test_without_the_secret_nothing_is_told(guarded: Guard, cookie: str) -> None:
    for path in ("/", "/api/live", "/ws/static/live.js", "/gradio_api/upload", "/nothing"):
        answer = ask(guarded, path, {"cookie": cookie})
        assert answer.status == 403
        assert b"python launch.py" in answer.body


def test_cookies_of_other_programs_do_not_lock_anybody_out(guarded: Guard) -> None:
    others = '_xsrf=2|a|b; j={"a": "b,c"}; @=; bad cookie; "=";'
    assert ask(guarded, "/", {"cookie": f"{others} bedside-{PORT}={TOKEN}"}).status == 200


def test_start_up_link_hands_out_the_cookie(guarded: Guard) -> None:
    answer = ask(guarded, f"/enter?token={TOKEN}")
    assert answer.status == 303
    assert answer.headers["location"] == "/"
    flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert flags == {"httponly", "samesite=strict", "path=/"}
    assert answer.headers["set-cookie"].startswith(f"bedside-{PORT}={TOKEN};")


def test_start_up_link_works_from_another_page(guarded: Guard) -> None:
    """A strict cookie would not be sent along with a redirection that began elsewhere."""
    answer = ask(guarded, f"/enter?token={TOKEN}", {"sec-fetch-site": "cross-site"})
    assert answer.status == 200
    assert b"http-equiv=refresh content='0;url=/'" in answer.body
    assert "set-cookie" in answer.headers


@pytest.mark.parametrize("query", ["", "token=", "token=wrong", f"token={TOKEN}x", "token=%ff"])
def test_wrong_start_up_link(guarded: Guard, query: str) -> None:
    answer = ask(guarded, f"/enter?{query}")
    assert answer.status == 403
    assert "set-cookie" not in answer.headers


def test_secret_is_compared_in_constant_time(
    guarded: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    compared = []
    honest = hmac.compare_digest

    def compare(given: bytes, wanted: bytes) -> bool:
        compared.append((given, wanted))
        return honest(given, wanted)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    ask(guarded, "/enter?token=abc")
    ask(guarded, "/", {"cookie": f"bedside-{PORT}=def"})
    assert compared == [(b"abc", TOKEN.encode()), (b"def", TOKEN.encode())]


@pytest.mark.parametrize("path", CLOSED + TRAVERSALS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_bedside_does_not_offer_is_closed(guarded: Guard, path: str, method: str) -> None:
    assert ask(guarded, path, COOKIE, method).status == 404


@pytest.mark.parametrize(("path", "largest"), [(REPORT, LARGEST_BODY), (BATCH, LARGEST_BATCH)])
def test_body_is_limited_whatever_its_header_says(
    guarded: Guard, path: str, largest: int
) -> None:  # fmt: skip
    def send(size: int, **headers: str) -> Answer:
        piece = 2**20
        body = [b"x" * min(piece, size - start) for start in range(0, size, piece)]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(guarded, path, COOKIE | named, "POST", body)

    assert send(largest, content_length=str(largest)).body == str(largest).encode()
    assert send(largest).body == str(largest).encode()  # chunked: no length is told
    for told in ({}, {"content_length": "5"}, {"content_length": str(largest + 1)}):
        answer = send(largest + 1, **told)
        assert answer.status == 413
        assert b"E21" in answer.body
    for told in ("-1", "1e9", "x", str(10**12)):
        assert ask(guarded, path, COOKIE | {"content-length": told}, "POST").status == 413


def test_a_crash_behind_the_guard_stays_a_crash() -> None:
    async def crash(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(Guard(crash, TOKEN, PORT), "/", COOKIE)


def test_every_answer_carries_the_headers(guarded: Guard) -> None:
    answers = [
        ask(guarded, "/", COOKIE), ask(guarded, "/"), ask(guarded, "/nothing", COOKIE),
        ask(guarded, "/", {"host": "evil"}), ask(guarded, f"/enter?token={TOKEN}"),
        ask(guarded, REPORT, COOKIE | {"content-length": "9" * 12}, "POST"),
    ]  # fmt: skip
    assert [answer.status for answer in answers] == [200, 403, 404, 403, 303, 413]
    for answer in answers:
        assert answer.headers["content-security-policy"] == CSP
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_an_answer_may_be_stricter() -> None:
    async def report(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"content-security-policy": "default-src 'none'"}
        await PlainTextResponse("x", headers=headers)(scope, receive, send)

    answer = ask(Guard(report, TOKEN, PORT), "/api/x", COOKIE)
    assert answer.headers["content-security-policy"] == "default-src 'none'"
    assert answer.headers["x-frame-options"] == "DENY"


def test_policy_lets_nothing_but_the_own_server_be_asked() -> None:
    rules = {rule.split()[0]: rule.split()[1:] for rule in CSP.split("; ")}
    report = rules.pop("report-uri")
    allowed = {"'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}
    assert set().union(*rules.values()) == allowed
    assert rules["default-src"] == rules["connect-src"] == ["'self'"]
    assert rules["frame-ancestors"] == rules["object-src"] == ["'none'"]
    assert report == [REPORT]


def test_only_hashed_files_are_kept_by_the_browser(guarded: Guard) -> None:
    def kept(path: str) -> str:
        return ask(guarded, path, COOKIE).headers["cache-control"]

    assert "immutable" in kept("/assets/index-abc.js")
    assert kept("/ws/static/live.js") == "private, no-cache"
    assert kept("/") == kept("/api/live") == kept("/api/thumb/x/1") == "no-store"


def test_web_sockets_are_closed(guarded: Guard) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(guarded({"type": "websocket", "path": "/", "headers": []}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The real application, described."""
    folder = tmp_path_factory.mktemp("whole")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.app.describe_app", str(folder)],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    described: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return described


def test_no_route_of_ours_or_of_gradio_answers_without_the_cookie(
    whole: dict[str, Any], guarded: Guard
) -> None:
    routes = [tuple(route) for route in whole["routes"]]
    assert len(routes) > 90
    assert ("GET", "/api/live") in routes
    assert ("POST", "/gradio_api/upload") in routes
    for method, path in routes:
        assert ask(guarded, path, method=method).status == 403, (method, path)


def test_no_route_that_is_not_ours_is_open_by_accident(whole: dict[str, Any]) -> None:
    used = {
        "/", "/models", "/train", "/test", "/export", "/system", "/models/", "/train/", "/test/",
        "/export/", "/system/", "/config", "/theme.css", "/favicon.ico",
        "/gradio_api/run/{api_name}", "/gradio_api/queue/join", "/gradio_api/queue/data",
        "/gradio_api/heartbeat/{session_hash}", "/assets/{path:path}", "/static/{path:path}",
        "/ws/static", "/ws/fonts",
    }  # fmt: skip
    for _, path in whole["routes"]:
        example = path.replace("{api_name}", "predict").replace("{session_hash}", "abc")
        example = example.replace("{path:path}", "a/b.js").replace("{", "").replace("}", "")
        example = f"{example}/a.js" if example in ("/ws/static", "/ws/fonts") else example
        is_open = module.OPEN.fullmatch(example) is not None
        assert is_open == (path in used or path.startswith("/api/")), path


def test_the_app_is_set_up_as_the_design_says(whole: dict[str, Any]) -> None:
    assert whole["settings"] == {
        "analytics_enabled": False, "run_history": False, "enable_monitoring": False,
        "show_error": False, "ssr_mode": False, "pwa": False, "allowed_paths": [],
        "max_file_size": 1024, "footer_links": [], "auth": None,
    }  # fmt: skip
    assert whole["one_app"]
    assert not whole["torch"]
