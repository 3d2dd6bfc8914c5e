"""Starting and ending the app, as a process."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.browser.serving import ROOT, AppServer

HOSTILE = {
    "GRADIO_SHARE": "True", "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": "9",
    "GRADIO_ALLOWED_PATHS": "/", "GRADIO_ROOT_PATH": "/x", "GRADIO_MCP_SERVER": "True",
    "GRADIO_HISTORY_BUCKET": "a/b", "GRADIO_VIBE_MODE": "1", "GRADIO_RUN_HISTORY": "True",
    "GRADIO_SSR_MODE": "True", "GRADIO_DEBUG": "1", "GRADIO_ANALYTICS_ENABLED": "True",
    "GRADIO_TEMP_DIR": "/tmp", "HF_HUB_OFFLINE": "0", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
}  # fmt: skip


@pytest.fixture
def server(workspace: Path, tmp_path: Path) -> Iterator[AppServer]:
    started = AppServer(workspace, tmp_path / "audit", **HOSTILE)
    yield started
    started.stop()


def second_start(server: AppServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.main", "--no-browser", *arguments],
        cwd=ROOT, env=server.environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_life_of_a_server(server: AppServer) -> None:
    """One start for all of it: a start costs seconds."""
    process = psutil.Process(server.pid)
    listening = [found.laddr for found in process.net_connections() if found.status == "LISTEN"]
    assert [tuple(found) for found in listening] == [("127.0.0.1", server.port)]
    assert process.children() == []  # no node, no tunnel
    assert not server.audit.exists(), server.audit.read_text()
    assert f"/enter?token={server.token}" in server.said()
    assert "Traceback" not in server.said()
    if sys.platform == "linux":
        held = Path(f"/proc/{server.pid}/maps").read_text()
        assert "torch" not in held

    names = ("", ".gradio", "runs", "projects", "tasks")
    for name in names if os.name != "nt" else ():
        assert stat.S_IMODE((server.workspace / name).stat().st_mode) == 0o700, name
    for name in ("server.key", "server.json", "server.log") if os.name != "nt" else ():
        assert stat.S_IMODE((server.workspace / name).stat().st_mode) == 0o600, name

    again = second_start(server)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == f"Bedside is running already: {server.url}\n"

    with (server.workspace / ".gradio" / "left").open("w") as left:
        left.write("of a killed server")
    server.kill()
    server.start()
    assert not (server.workspace / ".gradio" / "left").exists()
    server.stop()
    assert not (server.workspace / ".gradio").exists()
    assert not (server.workspace / "server.json").exists()
    assert server.said().endswith("shows them.\n")
    assert "Traceback" not in server.said()


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_however_it_ends_nothing_is_left(
    workspace: Path, tmp_path: Path, ending: signal.Signals
) -> None:
    """Case 75: Also when it is ended while it is still loading."""
    log = tmp_path / "log"
    environment = os.environ | {"BEDSIDE_WORKSPACE": str(workspace), "PYTHONPATH": str(ROOT)}
    with log.open("wb") as opened:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.main", "--no-browser"],
            env=environment, stdout=opened, stderr=opened,
        )  # fmt: skip
    deadline = time.monotonic() + 30
    while not (workspace / "server.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(ending)
    assert process.wait(20) == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    assert not (workspace / ".gradio").exists()
    assert not (workspace / "server.json").exists()


def test_named_port_in_use_is_told(workspace: Path, tmp_path: Path) -> None:
    """Case 78."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "app.main", "--no-browser", "--port", str(port)],
            cwd=ROOT, env=os.environ | {"BEDSIDE_WORKSPACE": str(workspace)}, timeout=60,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"[E22] Port {port} is used by another program.")
    assert "python launch.py --port 9000" in done.stderr
    assert not (workspace / ".gradio").exists()
