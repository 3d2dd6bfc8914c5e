"""Counts attempts to leave this machine, in every process of Bedside, by Python's audit hook.

What is counted is every connection and every look-up of a name that is not this machine's own. The
counts of all processes stand in ``connections.jsonl`` of the workspace: a line for each attempt.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LEDGER = "connections.jsonl"
OWN = ("127.", "::1", "localhost", "0.0.0.0", "::ffff:127.")


def watch_connections(workspace: Path, process: str) -> None:
    """Count from now on in this process; there is no way to switch it off again.

    Args:
        workspace: Where the ledger is.
        process: What this process is, for the ledger: "server", "run", "task".
    """
    ledger = workspace / LEDGER
    own = {"", *OWN}

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            host = str(arguments[1][0])
        elif event == "socket.getaddrinfo":
            host = _text(arguments[0])
        else:
            return
        if host in own or host.startswith(OWN):
            return
        line = {
            "ts": datetime.now(UTC).isoformat(timespec="seconds"),
            "process": process,
            "pid": os.getpid(),
            "event": event,
            "host": host,
        }
        with ledger.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(line) + "\n")

    sys.addaudithook(heard)


def outgoing(workspace: Path) -> list[dict[str, Any]]:
    """Every attempt that was counted, the oldest first."""
    try:
        lines = (workspace / LEDGER).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.endswith("}")]


def _text(host: Any) -> str:
    if host is None:
        return ""
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
