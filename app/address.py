"""Where the app is reached: its port, its secret, and whether another one serves already."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from app.text import main as text
from core.errors import SystemError_
from core.files import read_json, write_json
from core.runs.identity import identity_from_json, this_process

FIRST_PORT, TRIES = 8710, 20
CARD = "server.json"
KEY = "server.key"
KEY_LENGTH = 32  # bytes
ANSWER_S = 20.0  # a server that has just been started may still be loading
LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
BUSY = {errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)}
FORBIDDEN = {errno.EACCES, errno.EPERM}


def listen(wanted: int = 0) -> socket.socket:
    """A listening socket on loopback, by IPv4 or, on a machine without it, by IPv6.

    Args:
        wanted: The port; 0 for the first free one from `FIRST_PORT`.

    Raises:
        SystemError_: E22, the port is taken, or twenty are; E23, it may not be used.
    """
    if not 0 <= wanted <= 65535:
        raise SystemError_("E23", text.NO_PORT, item=str(wanted), todo=text.TAKEN_TODO)
    ports = [wanted] if wanted else range(FIRST_PORT, FIRST_PORT + TRIES)
    reason = errno.EADDRINUSE
    for port in ports:
        for family, host in LOOPBACK:
            try:
                return _bind(family, host, port)
            except OSError as error:
                reason = error.errno or reason
                if error.errno in BUSY | FORBIDDEN:
                    break  # the next port, not the next address
    span = str(ports[0]) if len(ports) == 1 else f"{ports[0]} to {ports[-1]}"
    if reason in BUSY:
        raise SystemError_("E22", text.TAKEN.format(ports=span), todo=text.TAKEN_TODO)
    refused = text.REFUSED.format(ports=span, reason=os.strerror(reason))
    raise SystemError_("E23", refused, todo=text.TAKEN_TODO)


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # or another program could listen to the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # a restart need not wait until old connections have been forgotten
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def read_token(workspace: Path) -> str:
    """The workspace's secret; kept, so that open pages survive a restart of the server."""
    file = workspace / KEY
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if len(token) < KEY_LENGTH:
        file.unlink(missing_ok=True)  # whatever it is, it is not ours
        token = secrets.token_urlsafe(KEY_LENGTH)
        descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(token)
    return token


def link(host: str, port: int, token: str) -> str:
    """The start-up link."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/enter?token={token}"


@contextmanager
def shown_as_running(workspace: Path, host: str, port: int) -> Iterator[Path]:
    """Note, for a ``with`` block, which process serves `workspace`, and where."""
    card = workspace / CARD
    try:
        write_json(card, this_process().to_json() | {"address": host, "port": port})
        card.chmod(0o600)
        yield card
    finally:
        card.unlink(missing_ok=True)


def find_running(workspace: Path) -> str | None:
    """The link of a server that already serves this workspace; None if there is none."""
    try:
        facts: dict[str, Any] = read_json(workspace / CARD)
        process = identity_from_json(facts)
        host, port = str(facts["address"]), int(facts["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if process is None or not process.is_alive():
        return None
    token = read_token(workspace)
    connection = HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        connection.request("GET", f"/enter?token={token}")
        opens = connection.getresponse().status == 303
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    return link(host, port, token) if opens else None
