"""Dropped files: they arrive as they were, in their folders, and never outside of theirs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app import ingest
from app.errors import answer_error
from app.ingest import Announcement, Incoming
from app.observe import Observer
from core.errors import BedsideError, DataError, SystemError_
from core.projects import ProjectStore

FILES = {"benign/a b#%é.png": b"first", "malignant/sub/x.dcm": b"", "labels.csv": b"file,label\n"}


def pack(files: dict[str, bytes]) -> bytes:
    """A batch as the browser sends it (app/static/drop.js)."""
    header = json.dumps([[path, len(content)] for path, content in files.items()]).encode()
    return struct.pack(">I", len(header)) + header + b"".join(files.values())


def announce(files: dict[str, bytes], title: str = "") -> Announcement:
    """What the browser says before."""
    return Announcement(title=title, files=len(files), bytes=sum(map(len, files.values())))


def arrive(incoming: Incoming, files: dict[str, bytes], title: str = "") -> str:
    """Send files; returns their id."""
    name = incoming.begin(announce(files, title))
    incoming.take(name, pack(files))
    return incoming.finish(name).id


@pytest.fixture
def incoming(workspace: Path) -> Incoming:
    return Incoming(workspace)


def test_files_arrive_whole_and_in_their_folders(incoming: Incoming) -> None:
    arrived = incoming.open(arrive(incoming, FILES, "Study\u202e 7\n"))
    found = {
        path.relative_to(arrived.folder).as_posix(): path.read_bytes()
        for path in arrived.folder.rglob("*")
        if path.is_file()
    }
    assert found == FILES
    assert (arrived.title, arrived.files, arrived.bytes) == ("Study 7", 3, 16)
    assert {path.name for path in arrived.folder.parent.iterdir()} == {"files", "card.json"}


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no modes")
def test_no_other_user_sees_them(incoming: Incoming) -> None:
    arrived = incoming.open(arrive(incoming, FILES))
    for folder in (arrived.folder.parent.parent, arrived.folder.parent, arrived.folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_several_batches_and_a_repeated_file(incoming: Incoming) -> None:
    name = incoming.begin(Announcement(title="", files=2, bytes=9))
    assert incoming.take(name, pack({"a": b"123"})) == 3
    assert incoming.take(name, pack({"b": b"456"})) == 6
    with pytest.raises(DataError, match="I44"):  # three bytes are still to come
        incoming.finish(name)
    incoming.take(name, pack({"b": b"789"}))
    assert (incoming.finish(name).folder / "b").read_bytes() == b"789"


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "/etc/x", "a//b", "", ".", "a/.", "..\\x", "C:\\x", "a\0b", "n" * 256,
     "é" * 128, "d/" * 600 + "x", "\ud800"],
)  # fmt: skip
def test_no_name_leads_out(incoming: Incoming, workspace: Path, path: str) -> None:
    name = incoming.begin(Announcement(files=2, bytes=2))
    before = sorted(workspace.parent.rglob("*"))
    with pytest.raises(DataError, match="I40"):
        incoming.take(name, pack({"fine": b"1", path: b"2"}))
    assert sorted(workspace.parent.rglob("*")) == before  # not even the one that is fine


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_no_link_leads_out(incoming: Incoming, workspace: Path, tmp_path: Path) -> None:
    name = incoming.begin(Announcement(files=1, bytes=1))
    (workspace / "incoming" / name / "files" / "link").symlink_to(tmp_path)
    with pytest.raises(DataError, match="I40"):
        incoming.take(name, pack({"link/x": b"1"}))
    assert not (tmp_path / "x").exists()


def raw(header: bytes, content: bytes = b"") -> bytes:
    """A batch with this header."""
    return struct.pack(">I", len(header)) + header + content


@pytest.mark.parametrize(
    "batch",
    [b"", b"\0\0", b"\xff\xff\xff\xff", raw(b"{}"), raw(b'{"ab": 1}'), raw(b"[["), raw(b'["a1"]'),
     raw(b'[["a", -1]]'), raw(b'[["a", true]]', b"x"), raw(b'[[1, 1]]', b"x"),
     raw(b'[["a", 1.0]]', b"x"), raw(b"[" * 9000), pack({"a": b"1"})[:-1],
     pack({"a": b"1"}) + b"2"],
)  # fmt: skip
def test_broken_batches_are_refused(incoming: Incoming, batch: bytes) -> None:
    name = incoming.begin(Announcement(files=1, bytes=10))
    with pytest.raises(DataError, match="I40"):
        incoming.take(name, batch)


def test_more_than_announced_is_refused(incoming: Incoming) -> None:
    name = incoming.begin(Announcement(files=1, bytes=2))
    with pytest.raises(DataError, match="I41"):
        incoming.take(name, pack({"a": b"123"}))
    incoming.take(name, pack({"a": b"12"}))
    incoming.finish(name)
    with pytest.raises(DataError, match="I41"):
        incoming.take(name, pack({"b": b""}))


@pytest.mark.parametrize(
    ("files", "size", "code"),
    [(ingest.MOST_FILES + 1, 1, "I41"), (1, ingest.MOST_BYTES + 1, "I41"), (0, 0, "I43")],
)
def test_too_many_or_none(incoming: Incoming, files: int, size: int, code: str) -> None:
    """Case 77."""
    with pytest.raises(DataError, match=code) as refusal:
        incoming.begin(Announcement(files=files, bytes=size))
    assert refusal.value.todo


def test_the_disk_keeps_its_reserve(incoming: Incoming, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 77."""
    name = incoming.begin(Announcement(files=1, bytes=10**6))
    usage = shutil.disk_usage(incoming.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=256 * 10**6 + 100))
    with pytest.raises(SystemError_, match="E02"):
        incoming.begin(Announcement(files=1, bytes=101))
    with pytest.raises(SystemError_, match="E02"):
        incoming.take(name, pack({"a": b"x" * 101}))
    assert incoming.take(name, pack({"a": b"x" * 100})) == 100


@pytest.mark.parametrize("name", ["", "..", "0" * 16, "../incoming", "0" * 15 + "/"])
def test_unknown_ids(incoming: Incoming, name: str) -> None:
    for ask in (incoming.open, incoming.finish, incoming.remove):
        with pytest.raises(DataError, match="I45"):
            ask(name)


def test_at_the_start_only_what_is_needed_stays(workspace: Path, incoming: Incoming) -> None:
    source = arrive(incoming, FILES)
    arrive(incoming, FILES)
    incoming.begin(announce(FILES))
    ProjectStore(workspace).for_source(str(incoming.open(source).folder), "Study")
    ingest.make_router(Observer(workspace))
    assert incoming.open(source).files == 3
    assert {path.name for path in incoming.folder.iterdir()} == {source}


Post = Callable[..., httpx.Response]


@pytest.fixture
def post(workspace: Path) -> Post:
    """Ask one of the routes, without a server."""
    api = FastAPI()
    api.add_exception_handler(BedsideError, answer_error)
    api.include_router(ingest.make_router(Observer(workspace)))

    async def ask(path: str, **body: Any) -> httpx.Response:
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post(path, **body)

    return lambda path, **body: asyncio.run(ask(path, **body))


def test_the_routes(post: Post, incoming: Incoming) -> None:
    told = announce(FILES, "Study").model_dump()
    name = post("/api/ingest/start", json=told).json()["id"]
    sent = post(f"/api/ingest/{name}", content=pack(FILES))
    assert sent.json() == {"received": 16}
    done = post(f"/api/ingest/{name}/done").json()
    assert done == {"id": name, "title": "Study", "files": 3, "bytes": 16}
    assert post(f"/api/ingest/{name}/cancel").json() == {}
    assert not (incoming.folder / name).exists()


def test_a_refusal_says_what_to_do(post: Post) -> None:
    refused: Any = post("/api/ingest/start", json={"files": 10**6, "bytes": 1})
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "I41"
    assert "path" in refused.json()["error"]["todo"]


def test_a_batch_is_limited_before_it_is_read(post: Post, incoming: Incoming) -> None:
    name = incoming.begin(Announcement(files=1, bytes=10**9))
    size = {"content-length": str(ingest.LARGEST_BATCH + 1)}
    refused = post(f"/api/ingest/{name}", content=b"x", headers=size)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "I42")
