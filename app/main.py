"""``python launch.py`` without a command: serve the app on this machine and open the browser."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import warnings
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.address import find_running, link, listen, read_token, shown_as_running
from app.quick import import_without_stubs
from app.text import main as text
from core.errors import BedsideError
from core.files import private_folder, workspace_folder

UNSET = (
    "GRADIO_SHARE", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "GRADIO_ALLOWED_PATHS",
    "GRADIO_ROOT_PATH", "GRADIO_MCP_SERVER", "GRADIO_HISTORY_BUCKET", "GRADIO_VIBE_MODE",
    "GRADIO_RUN_HISTORY", "GRADIO_SSR_MODE", "GRADIO_DEBUG", "GRADIO_BLOCKED_PATHS",
    "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD",
)  # fmt: skip
TEMPORARY = ".gradio"


def main(arguments: list[str]) -> int:
    """Serve until Ctrl-C; returns the exit code."""
    options = _options(arguments)
    try:
        workspace = workspace_folder()
        running = find_running(workspace)
        if running is not None:
            print(text.RUNNING.format(url=running), flush=True)
            _open_browser(running, options.browser and _has_screen())
            return 0
        with listen(options.port) as listener, _leaving_nothing(workspace):
            _serve(workspace, listener, open_browser=options.browser)
    except BedsideError as error:
        print(error.sentence, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    print(text.ENDED, flush=True)
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="launch.py", description=text.ABOUT)
    parser.add_argument("--port", type=int, default=0, help=text.PORT)
    parser.add_argument("--no-browser", dest="browser", action="store_false", help=text.NO_BROWSER)
    return parser.parse_args(arguments)


def _serve(workspace: Path, listener: socket.socket, *, open_browser: bool) -> None:
    """Everything slow comes after the browser was opened: it waits where it would have failed."""
    open_browser = open_browser and _has_screen()
    print(text.STARTING if open_browser else text.STARTING_ALONE, flush=True)
    host, port = listener.getsockname()[:2]
    token = read_token(workspace)
    url = link(host, port, token)
    with shown_as_running(workspace, host, port):
        opening = threading.Thread(target=_open_browser, args=(url, open_browser), daemon=True)
        opening.start()
        server = _load(workspace, token, port)
        print(text.STARTED.format(url=url), flush=True)
        server.run(sockets=[listener])


def _load(workspace: Path, token: str, port: int) -> Any:
    """Import what a server needs, which takes a second or two; returns uvicorn's ``Server``."""
    gc.disable()  # nothing that is loaded now will be thrown away
    import_without_stubs()
    import uvicorn

    from app.log import write_log
    from app.server import make_app
    from core.outbound import watch_connections

    write_log(workspace)
    watch_connections(workspace, "server")
    warnings.filterwarnings("ignore", "SSR mode is not supported")  # nor is it asked for
    settings = uvicorn.Config(
        make_app(workspace, token, port),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
    )
    gc.freeze()
    gc.enable()
    return uvicorn.Server(settings)


@contextmanager
def _leaving_nothing(workspace: Path) -> Iterator[None]:
    """Settings that must stand before gradio is imported; wipes its folder before and after."""
    os.umask(0o077)
    temporary = workspace / TEMPORARY
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
    for name in ("SIGTERM", "SIGHUP"):  # as Ctrl-C, unless it is to be outlived (nohup)
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        logging.shutdown()
        shutil.rmtree(temporary, ignore_errors=True)


def _has_screen() -> bool:
    """Whether a browser has somewhere to appear; a text browser would take over the window."""
    if sys.platform != "linux":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"))


def _open_browser(url: str, wanted: bool) -> None:
    if wanted:
        webbrowser.open(url)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
