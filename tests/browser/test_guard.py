"""The running app, probed from outside and through the browser (reliability.md f 43, 72 to 77)."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.guard import CSP
from app.text.shell import STEPS
from tests.browser.conftest import Seen, fill, serve
from tests.browser.names import HOSTILE
from tests.browser.serving import AppServer

TRAVERSALS = [
    "/gradio_api/file=/etc/passwd", "/gradio_api/file=../../etc/passwd",
    "/gradio_api/file=..%2f..%2fetc%2fpasswd", "/gradio_api/file=file:///etc/passwd",
    "/gradio_api/file=//server/share", "/gradio_api/file=http://127.0.0.1:1/",
    "/gradio_api/file%3Dhttp://169.254.169.254/", "/gradio_api/file={workspace}/server.key",
    "/gradio_api/file={workspace}/.gradio", "/gradio_api/proxy=http://127.0.0.1:1/",
    "/ws/static/../main.py", "/ws/static/%2e%2e/main.py", "/ws/static/..%2fmain.py",
    "/ws/static/..%5cmain.py", "/ws/fonts/../../launch.py", "/assets/../../../blocks.py",
    "/assets/..%2f..%2f..%2fblocks.py", "/static/..%2f..%2findex.html", "/ws/static//etc/passwd",
    "/svelte/..%2f..%2fx", "/gradio_api/custom_component/1/client/component/..%2f..%2fx",
    "/api/thumb/..%2f..%2fserver.key/1", "/api/task/..%2f..%2fserver.key",
    "/api/data/project/..%2f..%2fserver.key/images", "/api/live?run=../../server.key",
    "/api/live?run=/etc", "/api/live?task=../../etc",
]  # fmt: skip
UPLOAD = (
    b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nhello\r\n--x--\r\n"
)


class Reply:
    """An answer, read to its end."""

    def __init__(self, answer: HTTPResponse) -> None:
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.body = answer.read()


def ask(
    app: AppServer, path: str, method: str = "GET", body: bytes = b"", cookie: bool = True,
    **headers: str,
) -> Reply:  # fmt: skip
    """One request as no browser would send it."""
    connection = HTTPConnection("127.0.0.1", app.port, timeout=30)
    named = {"host": f"127.0.0.1:{app.port}"} if "host" not in headers else {}
    named |= {"cookie": f"bedside-{app.port}={app.token}"} if cookie else {}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.putrequest(method, path, skip_host=True)
    for name, value in ({"content-length": str(len(body))} | named).items():
        connection.putheader(name, value)
    connection.endheaders(body or None)
    try:
        return Reply(connection.getresponse())
    finally:
        connection.close()


def files_of(app: AppServer) -> set[Path]:
    return set((app.workspace / ".gradio").rglob("*"))


def test_foreign_requests_change_and_read_nothing(app: AppServer) -> None:
    """Case 73."""
    before = files_of(app)
    multipart = {"content_type": "multipart/form-data; boundary=x"}
    for foreign in (
        {"host": "evil.example"}, {"origin": "http://evil.example"}, {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
    ):  # fmt: skip
        for path in ("/", "/config", "/api/live", "/ws/static/live.js"):
            assert ask(app, path, **foreign).status == 403, (foreign, path)
        assert ask(app, "/gradio_api/upload", "POST", UPLOAD, **multipart, **foreign).status == 403
    assert ask(app, "/gradio_api/upload", "POST", UPLOAD, **multipart).status == 404
    assert files_of(app) == before
    assert ask(app, "/config").status == 200  # the same request from the own page


def test_nothing_is_told_without_the_secret(app: AppServer) -> None:
    """Case 76."""
    for path in ("/", "/config", "/api/live", "/theme.css", "/ws/static/live.js", "/static/x"):
        answer = ask(app, path, cookie=False)
        assert answer.status == 403
        assert b"Tiny lesions" not in answer.body
    assert ask(app, "/enter?token=wrong", cookie=False).status == 403


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out(app: AppServer, path: str) -> None:
    """Case 74."""
    answer = ask(app, path.format(workspace=app.workspace))
    assert answer.status in (403, 404, 409)
    for secret in (b"root:", app.token.encode(), b"import ", b"<!doctype html><html><head"):
        assert secret not in answer.body
    if answer.status == 409:
        assert json.loads(answer.body)["error"]["code"]


def test_errors_carry_the_headers_and_no_traceback(app: AppServer) -> None:
    """403, 404, 409, 413, 422 and 500 of the guard, of our routes and of Gradio."""
    garbage = json.dumps({"fn_index": 10**6, "data": [], "session_hash": "x"}).encode()
    answers = {
        403: ask(app, "/", cookie=False),
        404: ask(app, "/nothing"),
        409: ask(app, "/api/csp", "POST", b"{not json"),  # an error nobody foresaw
        413: ask(app, "/api/csp", "POST", content_length=str(10**12)),
        500: ask(app, "/gradio_api/run/predict", "POST", garbage, content_type="application/json"),
        422: ask(app, "/api/live?since=x"),
    }
    for status, answer in answers.items():
        assert answer.status == status, answer.body
        assert answer.headers["content-security-policy"] == CSP
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert not [name for name in answer.headers if name.startswith("access-control")]
        for telling in (b"Traceback", b'File "', b"/work", str(app.workspace).encode()):
            assert telling not in answer.body
    assert json.loads(answers[409].body)["error"]["code"] == "R99"
    log = (app.workspace / "server.log").read_text(encoding="utf-8")
    assert str(app.workspace) not in log


def test_chunked_body_is_cut_off(app: AppServer) -> None:
    connection = HTTPConnection("127.0.0.1", app.port, timeout=30)
    pieces = (b"x" * 2**20 for _ in range(4))
    cookie = {"cookie": f"bedside-{app.port}={app.token}"}
    connection.request("POST", "/api/csp", pieces, cookie, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_front_end_needs_no_closed_route_and_stores_nothing(
    app: AppServer, open_page: Callable[..., Page], seen: Seen
) -> None:
    """Case 75. `seen` counts answers of 400 and more, and requests that leave the machine."""
    page = open_page(app)
    for step in STEPS:
        page.goto(app.base + step.path)
        expect(page.get_by_role("heading", level=1)).to_have_text(step.title)
    page.locator("#theme").click()
    stored = page.evaluate("[localStorage.length, sessionStorage.length]")
    assert stored == [0, 0]
    assert page.evaluate("document.cookie").startswith("bedside-theme=")  # not the secret
    assert ask(app, "/api/live").status == 200
    assert list((app.workspace / ".gradio").rglob("*.*")) == []


def test_content_policy_stops_what_leaves_and_counts_it(
    empty_app: AppServer, open_page: Callable[..., Page], seen: Seen
) -> None:
    seen.allow("evil.example", "content policy", "Content Security Policy", "/api/csp")
    page = open_page(empty_app, "/system")  # its own: System goes on saying so
    with page.expect_request("**/api/csp") as reported:
        page.evaluate(
            "document.body.append(Object.assign(new Image(), {src: 'http://evil.example/x'}))"
        )
    assert reported.value.response().status == 204
    assert page.evaluate(
        "fetch('http://evil.example').then(() => 'sent', () => 'stopped')"
    ) == "stopped"  # fmt: skip
    page.close()


def test_hostile_names_are_text_everywhere(
    tmp_path: Path, open_page: Callable[..., Page], seen: Seen
) -> None:
    """Case 43: a class, a project and runs whose names are markup."""
    for app in serve(fill(tmp_path, "--hostile"), tmp_path / "audit"):
        page = open_page(app)
        expect(page.locator("#chip-project")).to_contain_text(HOSTILE)
        for step in STEPS:
            page.goto(app.base + step.path)
            expect(page.locator("#chip-project")).to_contain_text(HOSTILE)
            expect(page.locator("#page")).to_be_visible()
            page.wait_for_load_state("networkidle")
            assert page.evaluate("typeof window.__xss") == "undefined", step.key
            assert page.locator("img[src='x'], [onerror]").count() == 0, step.key
        page.close()
