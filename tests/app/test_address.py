"""Ports, the secret, and finding the app that already runs."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from app import address
from app.address import FIRST_PORT, find_running, link, listen, read_token, shown_as_running
from core.errors import SystemError_


def taken(port: int = 0) -> socket.socket:
    """A program of somebody else's at a port."""
    other = socket.socket()
    other.bind(("127.0.0.1", port))
    other.listen()
    return other


def test_listens_to_this_machine_only() -> None:
    with listen() as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1"
        assert FIRST_PORT <= port < FIRST_PORT + 20


def test_port_in_use_leads_to_the_next_one() -> None:
    with listen() as first, listen() as second:
        assert second.getsockname()[1] > first.getsockname()[1]


def test_named_port_in_use_is_a_sentence() -> None:
    with taken() as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemError_, match=rf"\[E22\] Port {port} is used by another program"):
            listen(port)


def test_all_ports_in_use_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with taken() as other:
        monkeypatch.setattr(address, "FIRST_PORT", other.getsockname()[1])
        monkeypatch.setattr(address, "TRIES", 1)
        with pytest.raises(SystemError_, match="E22"):
            listen()


@pytest.mark.parametrize("port", [-1, 65536])
def test_impossible_port_is_a_sentence(port: int) -> None:
    with pytest.raises(SystemError_, match=r"\[E23\] A port is a number"):
        listen(port)


def test_forbidden_port_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(address, "_bind", refuse)
    with pytest.raises(SystemError_, match=r"\[E23\] Port 80 cannot be used \(Permission denied\)"):
        listen(80)


@pytest.mark.parametrize("reason", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_machine_without_ipv4_is_reached_by_ipv6(
    monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    tried = []
    honest = address._bind

    def without_ipv4(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
        tried.append(host)
        if family is socket.AF_INET:
            raise OSError(reason, "no such address family here")
        return honest(family, host, port) if socket.has_ipv6 else taken()

    try:
        taken6 = socket.socket(socket.AF_INET6)
        taken6.bind(("::1", 0))
        taken6.close()
    except OSError:  # this machine has no IPv6: that it is asked for is all that can be seen
        monkeypatch.setattr(socket, "has_ipv6", False)
    monkeypatch.setattr(address, "_bind", without_ipv4)
    with listen() as listener:
        assert tried == ["127.0.0.1", "::1"]
        if socket.has_ipv6:
            host, port = listener.getsockname()[:2]
            assert link(host, port, "t") == f"http://[::1]:{port}/enter?token=t"
            socket.create_connection(("::1", port), timeout=5).close()


def test_secret_is_kept_and_closed_to_others(workspace: Path) -> None:
    token = read_token(workspace)
    assert len(token) >= 43
    assert read_token(workspace) == token
    if os.name != "nt":
        assert stat.S_IMODE((workspace / "server.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 50])
def test_damaged_secret_is_replaced_by_a_closed_file(workspace: Path, content: bytes) -> None:
    file = workspace / "server.key"
    file.write_bytes(content)
    file.chmod(0o644)
    token = read_token(workspace)
    assert len(token) >= 43
    assert read_token(workspace) == token
    if os.name != "nt":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


class Door(BaseHTTPRequestHandler):
    """What a running app answers to its start-up link."""

    status = 303

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("location", "/")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize(("status", "found"), [(303, True), (403, False), (200, False)])
def test_running_app_is_found_if_it_lets_in(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, status: int, found: bool
) -> None:
    monkeypatch.setattr(Door, "status", status)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # a hospital's proxy is not asked
    with HTTPServer(("127.0.0.1", 0), Door) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        with shown_as_running(workspace, "127.0.0.1", port) as card:
            expected = link("127.0.0.1", port, read_token(workspace)) if found else None
            assert find_running(workspace) == expected
            if sys.platform != "win32":
                assert stat.S_IMODE(card.stat().st_mode) == 0o600
        assert find_running(workspace) is None
        server.shutdown()


@pytest.mark.parametrize("card", ["", "{}", "[]", '{"pid": 1}', '{"address": 1, "port": "x"}'])
def test_damaged_card_means_none_runs(workspace: Path, card: str) -> None:
    assert find_running(workspace) is None
    (workspace / "server.json").write_text(card)
    assert find_running(workspace) is None


def test_card_of_a_dead_process_means_none_runs(workspace: Path) -> None:
    with shown_as_running(workspace, "127.0.0.1", 1) as card:
        card.write_text(card.read_text().replace(f'"pid": {os.getpid()}', '"pid": 4194303'))
        assert find_running(workspace) is None


def test_app_that_does_not_answer_means_none_runs(workspace: Path) -> None:
    with taken() as other:
        port = other.getsockname()[1]
    with shown_as_running(workspace, "127.0.0.1", port):  # this process lives, the port is closed
        assert find_running(workspace) is None
