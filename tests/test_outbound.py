"""The ledger of attempts to leave this machine: what is counted, in which process, and what not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.outbound import LEDGER, outgoing, summarise

ROOT = Path(__file__).resolve().parent.parent
ATTEMPTS = """
import socket, sys
from pathlib import Path
from core.outbound import watch_connections
watch_connections(Path(sys.argv[1]), "task")
def attempt(work):
    try:
        work()
    except OSError:
        pass
box = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
box.settimeout(0.01)
post = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for work in {works}:
    attempt(work)
"""


def counted(workspace: Path, *works: str) -> list[tuple[str, str]]:
    """What a watched process is counted for; each work is the body of a lambda."""
    code = ATTEMPTS.format(works="[" + ", ".join(f"lambda: {work}" for work in works) + "]")
    subprocess.run([sys.executable, "-c", code, str(workspace)], cwd=ROOT, check=True)
    return [(line["event"], line["host"]) for line in outgoing(workspace)]


def test_every_way_out_is_counted_whether_it_succeeds_or_not(workspace: Path) -> None:
    assert counted(
        workspace,
        "box.connect(('192.0.2.1', 80))",  # an address kept for examples: nobody answers
        "post.sendto(b'x', ('192.0.2.2', 53))",
        "socket.getaddrinfo('bedside.invalid', 80)",
        "socket.gethostbyname('bedside.invalid')",
    ) == [
        ("socket.connect", "192.0.2.1"),
        ("socket.sendto", "192.0.2.2"),
        ("socket.getaddrinfo", "bedside.invalid"),
        ("socket.gethostbyname", "bedside.invalid"),
    ]


def test_this_machine_itself_is_not_counted(workspace: Path) -> None:
    assert (
        counted(
            workspace,
            "box.connect(('127.0.0.1', 9))",
            "socket.getaddrinfo('localhost', 80)",
            "socket.getaddrinfo(None, 80)",
            "socket.getaddrinfo('::1', 80)",
            "socket.socketpair()[0].send(b'x')",
        )
        == []
    )
    assert summarise(workspace)["watched"] == {"task": 1}


def test_the_summary_tells_kinds_of_processes_apart(workspace: Path) -> None:
    ledger = workspace / LEDGER
    lines = [
        {"ts": f"2026-01-0{day}T00:00:00+00:00", "process": process, "pid": 1, "event": event,
         "host": host}
        for day, (process, event, host) in enumerate(
            [("server", "watch", ""), ("run", "watch", ""), ("run", "watch", ""),
             ("run", "socket.connect", "192.0.2.1"), ("fetch", "socket.connect", "192.0.2.9")], 1)
    ]  # fmt: skip
    ledger.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"ts": "torn')
    found = summarise(workspace)
    assert found["since"].startswith("2026-01-01")
    assert found["watched"] == {"server": 1, "run": 2}
    assert found["attempts"] == {"run": 1, "fetch": 1}
    assert [line["host"] for line in found["lines"]] == ["192.0.2.9", "192.0.2.1"]


def test_an_attempt_that_cannot_be_written_down_is_not_made(workspace: Path) -> None:
    code = ATTEMPTS.format(works="[]") + (
        f"import shutil; shutil.rmtree({str(workspace)!r})\n"
        "try:\n    socket.getaddrinfo('bedside.invalid', 80)\n"
        "except FileNotFoundError:\n    print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(workspace)],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "refused"


def test_a_ledger_that_cannot_be_begun_stops_nobody(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS.format(works="[]"), str(tmp_path / "gone")],
        cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0


@pytest.mark.parametrize("workspace_exists", [True, False])
def test_without_a_ledger_there_is_nothing_to_tell(tmp_path: Path, workspace_exists: bool) -> None:
    place = tmp_path if workspace_exists else tmp_path / "gone"
    assert summarise(place) == {"since": "", "watched": {}, "attempts": {}, "lines": []}
