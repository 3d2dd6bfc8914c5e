"""Counts attempts to leave this machine, in every process of Bedside, by Python's audit hook.

What is counted is every connection, every packet and every look-up of a name that is not this
machine's own. The counts of all processes stand in ``connections.jsonl`` of the workspace: a line
for each process that was watched, and a line for each attempt. An attempt that cannot be written
down is not made.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LEDGER = "connections.jsonl"
OWN = ("127.", "::1", "localhost", "0.0.0.0", "::ffff:127.")
WATCH = "watch"  # the event of a line that says: from here on this process was watched
FETCH = "fetch"  # the one process that may leave, after the user agreed to it
TO_ADDRESS = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getnameinfo": 0}
OF_NAME = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
SHOWN = 50  # the newest attempts that `summarise` lists


@dataclass
class _Watch:
    """What this process is, once it is watched."""

    workspace: Path | None = None
    process: str = ""


_watch = _Watch()


def watch_connections(workspace: Path, process: str) -> None:
    """Count from now on in this process; there is no way to switch it off again.

    Args:
        workspace: Where the ledger is.
        process: What this process is: "server", "run", "task", "decoder", "command" or "fetch".
    """
    first = _watch.workspace is None
    _watch.workspace, _watch.process = workspace, process
    with contextlib.suppress(OSError):  # a full disk; whoever does the work will say so
        _write(WATCH, "")
    if first:
        sys.addaudithook(_heard)


def watched() -> Path | None:
    """The workspace in whose ledger this process is counted; None if it is not watched."""
    return _watch.workspace


def outgoing(workspace: Path) -> list[dict[str, Any]]:
    """Every attempt that was counted, the oldest first."""
    return [line for line in _lines(workspace) if line["event"] != WATCH]


def summarise(workspace: Path) -> dict[str, Any]:
    """The ledger in figures.

    Returns:
        ``since`` (ISO 8601, or ""), ``watched`` and ``attempts`` (kind of process to count), and
        ``lines`` (the newest attempts, the newest first).
    """
    lines = _lines(workspace)
    attempts = [line for line in lines if line["event"] != WATCH]
    return {
        "since": str(lines[0]["ts"]) if lines else "",
        "watched": dict(Counter(line["process"] for line in lines if line["event"] == WATCH)),
        "attempts": dict(Counter(line["process"] for line in attempts)),
        "lines": attempts[::-1][:SHOWN],
    }


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event in TO_ADDRESS:
        address = arguments[TO_ADDRESS[event]]
        if not isinstance(address, tuple):  # a socket of this machine, which is a file
            return
        host = _text(address[0])
    elif event in OF_NAME:
        host = _text(arguments[0])
    else:
        return
    if host and not host.startswith(OWN):
        _write(event, host)


def _write(event: str, host: str) -> None:
    line = {
        "ts": datetime.now(UTC).isoformat(timespec="seconds"),
        "process": _watch.process,
        "pid": os.getpid(),
        "event": event,
        "host": host,
    }
    assert _watch.workspace is not None
    with (_watch.workspace / LEDGER).open("a", encoding="utf-8") as opened:
        opened.write(json.dumps(line) + "\n")


def _lines(workspace: Path) -> list[dict[str, Any]]:
    try:
        lines = (workspace / LEDGER).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.endswith("}")]


def _text(host: Any) -> str:
    if host is None:
        return ""
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
