"""``python launch.py`` without a command: serve the app on this machine and open the browser."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import secrets
import shutil
import socket
import sys
import threading
import webbrowser
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from app.text import main as text
from core.errors import BedsideError, SystemError_
from core.files import private_folder, read_json, workspace_folder, write_json
from core.runs.identity import identity_from_json, this_process

FIRST_PORT, TRIES = 8710, 20
UNSET = (
    "GRADIO_SHARE", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "GRADIO_ALLOWED_PATHS",
    "GRADIO_ROOT_PATH", "GRADIO_MCP_SERVER", "GRADIO_HISTORY_BUCKET", "GRADIO_VIBE_MODE",
    "GRADIO_RUN_HISTORY", "GRADIO_SSR_MODE", "GRADIO_DEBUG", "GRADIO_BLOCKED_PATHS",
    "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Serve until Ctrl-C; returns the exit code."""
    options = _options(arguments)
    try:
        workspace = workspace_folder()
        running = _running(workspace)
        if running is not None:
            print(text.RUNNING.format(url=running), flush=True)
            _open_browser(running, options.browser)
            return 0
        listener = _listen(options.port)
        _serve(workspace, listener, open_browser=options.browser)
    except BedsideError as error:
        print(error.sentence, file=sys.stderr)
        return 1
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="launch.py", description=text.ABOUT)
    parser.add_argument("--port", type=int, default=0, help=text.PORT)
    parser.add_argument("--no-browser", dest="browser", action="store_false", help=text.NO_BROWSER)
    return parser.parse_args(arguments)


def _serve(workspace: Path, listener: socket.socket, *, open_browser: bool) -> None:
    temporary = _harden(workspace)
    host, port = listener.getsockname()[:2]
    card = workspace / "server.json"
    token = _token(workspace)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/enter?token={token}"
    _log_to(workspace)

    import uvicorn

    from app.server import make_app
    from core.outbound import watch_connections

    watch_connections(workspace, "server")
    settings = uvicorn.Config(
        make_app(workspace, token, port),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
    )
    write_json(card, this_process().to_json() | {"url": url, "port": port})
    card.chmod(0o600)
    print(text.STARTED.format(url=url), flush=True)
    threading.Thread(target=_open_browser, args=(url, open_browser), daemon=True).start()
    try:
        asyncio.run(uvicorn.Server(settings).serve(sockets=[listener]))
    except KeyboardInterrupt:
        pass
    finally:
        card.unlink(missing_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
    print(text.ENDED, flush=True)


def _harden(workspace: Path) -> Path:
    """Settings that have to stand before gradio is imported; returns its private folder."""
    os.umask(0o077)
    temporary = workspace / ".gradio"
    shutil.rmtree(temporary, ignore_errors=True)  # what a killed server left
    private_folder(temporary)
    for name in UNSET:
        os.environ.pop(name, None)
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(temporary),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }
    return temporary


def _log_to(workspace: Path) -> None:
    """Our own log and the server's complaints go to a file; it names no patient and no path."""
    target = RotatingFileHandler(workspace / "server.log", maxBytes=1_000_000, backupCount=2)
    target.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("bedside")
    logger.addHandler(target)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _token(workspace: Path) -> str:
    """The workspace's secret; kept, so that open pages survive a restart of the server."""
    file = workspace / "server.key"
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if len(token) < 32:
        token = secrets.token_urlsafe(32)
        descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(token)
    return token


def _running(workspace: Path) -> str | None:
    """The address of a server that already serves this workspace; None if there is none."""
    try:
        facts: dict[str, Any] = read_json(workspace / "server.json")
    except (OSError, ValueError):
        return None
    process = identity_from_json(facts)
    if process is None or not process.is_alive():
        return None
    url = str(facts["url"])
    try:
        with urlopen(Request(url, method="GET"), timeout=5):
            return url
    except (URLError, OSError):
        return None


def _listen(wanted: int) -> socket.socket:
    """A listening socket on loopback: the wanted port, or the first free one.

    Raises:
        SystemError_: E22, the port is taken, or twenty are.
    """
    ports = [wanted] if wanted else range(FIRST_PORT, FIRST_PORT + TRIES)
    for port in ports:
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            listener = socket.socket(family, socket.SOCK_STREAM)
            if os.name != "nt":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((host, port))
                listener.listen(128)
                return listener
            except OSError as error:
                listener.close()
                if error.errno == errno.EADDRINUSE:
                    break  # another program has it; the next port, not the next address
    raise SystemError_("E22", text.TAKEN.format(ports=_span(list(ports))), todo=text.TAKEN_TODO)


def _span(ports: list[int]) -> str:
    return str(ports[0]) if len(ports) == 1 else f"{ports[0]} to {ports[-1]}"


def _open_browser(url: str, wanted: bool) -> None:
    if wanted:
        webbrowser.open(url)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
