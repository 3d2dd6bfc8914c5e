"""The app in a process of its own, as a user starts it, over a workspace of the test's."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
AUDIT = ROOT / "tests" / "audit"
START_S = 60.0


class AppServer:
    """One running app.

    Args:
        workspace: The workspace that it serves.
        audit: File that the audit hook writes attempts to leave this machine to.
        start: Whether to start it at once.
        extra: More environment variables.
    """

    def __init__(self, workspace: Path, audit: Path, *, start: bool = True, **extra: str) -> None:
        self.workspace = workspace
        self.audit = audit
        self.port = free_port()
        self.log = audit.with_suffix(".log")
        self._extra = extra
        self._process: subprocess.Popen[bytes] | None = None
        if start:
            self.start()

    @property
    def base(self) -> str:
        """The address without the secret: ``http://127.0.0.1:N``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The secret that opens it."""
        return (self.workspace / "server.key").read_text(encoding="ascii").strip()

    @property
    def url(self) -> str:
        """The start-up link."""
        return f"{self.base}/enter?token={self.token}"

    @property
    def pid(self) -> int:
        """Id of the server's process."""
        assert self._process is not None
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """What its process is given: this workspace, the audit hook, no proxy, one thread."""
        kept = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        own = {
            "BEDSIDE_WORKSPACE": str(self.workspace),
            "BEDSIDE_AUDIT": str(self.audit),
            "PYTHONPATH": os.pathsep.join([str(AUDIT), str(ROOT)]),
            "OMP_NUM_THREADS": "1",
        }
        return kept | own | self._extra

    def start(self) -> None:
        """Start it and return when it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.main", "--no-browser", "--port", str(self.port)],
                cwd=ROOT, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._wait()

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)
            self._process = None

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def clear(self) -> None:
        """End it and whatever it left working: the next test wants the processor."""
        self.stop()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if any(part.startswith(str(self.workspace)) for part in process.cmdline()[1:]):
                    process.kill()

    def restart(self) -> None:
        """Stop it and start it again at the same address."""
        self.stop()
        self.start()

    def said(self) -> str:
        """What it printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, f"the app ended at once:\n{self.said()}"
            assert time.monotonic() < deadline, f"no answer in {START_S} s:\n{self.said()}"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            card = json.loads((self.workspace / "server.json").read_text(encoding="utf-8"))
            if card["pid"] != self.pid:
                return False
            connection = HTTPConnection("127.0.0.1", self.port, timeout=START_S)
            connection.request("GET", f"/enter?token={self.token}")
            answer = connection.getresponse().status
            connection.close()
        except (OSError, ValueError, KeyError):
            return False
        return answer == 303


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
