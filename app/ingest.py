"""Files dropped on a page: taken in batches, kept as they are, in a private folder.

A dropped folder arrives through routes of our own, because Gradio's loses the folders
(`reference/gradio.md` 7). One batch is one POST whose body is

    4 bytes, big-endian: length of the header | header: JSON [[path, bytes], ...] | the files' bytes

What has arrived lies in ``workspace/incoming/<id>/files``. Folders that are the source of a project
or of a run stay; all others are removed when the server starts.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import struct
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from app.errors import as_facts
from app.observe import Observer
from app.routes import answer
from app.text import ingest as text
from core.errors import DataError
from core.files import private_folder, read_json, require_free, write_json
from core.sources import OPENED
from core.tasks.store import read_request

LARGEST_BATCH = 64 * 2**20  # bytes
MOST_FILES = 50_000
MOST_BYTES = 64 * 2**30
LONGEST_PATH, LONGEST_NAME = 1000, 255  # characters; bytes
NAME = re.compile(r"[0-9a-f]{16}")
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows
UNFIT = set('<>:"|?*')  # likewise


class Announcement(BaseModel):
    """What the browser is about to send."""

    title: str = Field("", max_length=500)
    files: int = Field(ge=0)
    bytes: int = Field(ge=0)


@dataclass(frozen=True)
class Arrived:
    """A set of files that has arrived whole.

    Attributes:
        id: Its id.
        folder: Where the files are, in the folders they were dropped with.
        title: Name of the dropped folder, or "".
        files: Number of files.
        bytes: Their size.
    """

    id: str
    folder: Path
    title: str
    files: int
    bytes: int

    @property
    def source(self) -> Path:
        """Where a project's images come from: the folder, or the one archive dropped."""
        if self.files == 1:
            (file,) = (path for path in self.folder.rglob("*") if path.is_file())
            if file.name.casefold().endswith(OPENED):
                return file
        return self.folder


class Incoming:
    """The folders of dropped files in a workspace.

    Args:
        workspace: The workspace.
    """

    def __init__(self, workspace: Path) -> None:
        self.folder = private_folder(workspace / "incoming")
        self._lock = threading.Lock()

    def begin(self, told: Announcement) -> str:
        """Make room for files; returns the id under which they are to be sent.

        Raises:
            DataError: I41, more files or bytes than Bedside takes this way.
            SystemError_: E02, they would not fit on the disk.
        """
        if told.files > MOST_FILES or told.bytes > MOST_BYTES:
            raise DataError("I41", text.TOO_MANY.format(most=MOST_FILES), todo=text.USE_PATH)
        if told.files == 0:
            raise DataError("I43", text.NOTHING, todo=text.NOTHING_TODO)
        require_free(self.folder, told.bytes, text.COPYING)
        name = secrets.token_hex(8)
        private_folder(self.folder / name / "files")
        private_folder(self.folder / name)
        title = "".join(sign for sign in told.title if sign.isprintable()).strip()[:60]
        facts = {"title": title, "files": told.files, "bytes": told.bytes, "received": 0}
        write_json(self.folder / name / "card.json", facts | {"whole": False})
        return name

    def take(self, name: str, batch: bytes) -> int:
        """Keep the files of one batch; returns how many bytes of the whole have arrived.

        Raises:
            DataError: I40, the batch or a name in it cannot be; I41, more than was announced.
            SystemError_: E02, the disk is full.
        """
        place, card = self._known(name)
        entries, content = _unpack(batch)
        targets = [(_target(place / "files", path), size) for path, size in entries]
        with self._lock:
            received = card["received"] + len(content)
            if card["whole"] or received > card["bytes"]:
                raise DataError("I41", text.MORE_THAN_SAID, todo=text.AGAIN)
            require_free(self.folder, len(content), text.COPYING)
            start = 0
            for target, size in targets:
                _write(target, content[start : start + size], place)
                start += size
            write_json(place / "card.json", card | {"received": received})
        return int(received)

    def finish(self, name: str) -> Arrived:
        """Check that everything has arrived.

        Raises:
            DataError: I44, files are missing.
        """
        place, card = self._known(name)
        found = sum(len(files) for _, _, files in os.walk(place / "files"))
        if found != card["files"] or card["received"] != card["bytes"]:
            raise DataError(
                "I44", text.MISSING.format(found=found, files=card["files"]), todo=text.AGAIN
            )
        write_json(place / "card.json", card | {"whole": True})
        return self.open(name)

    def open(self, name: str) -> Arrived:
        """Find what has arrived under an id.

        Raises:
            DataError: I45, nothing has, or not all of it.
        """
        place, card = self._known(name)
        if not card["whole"]:
            raise _gone()
        return Arrived(name, place / "files", card["title"], card["files"], card["bytes"])

    def remove(self, name: str) -> None:
        """Delete what has arrived under an id."""
        place, _ = self._known(name)
        shutil.rmtree(place, ignore_errors=True)

    def purge(self, observer: Observer) -> None:
        """Remove all that no project, no run and no task at work needs."""
        needed = {project.config.data.source for project in observer.projects.list()}
        needed |= {line.source for line in observer.runs.list()}
        live = {job["id"] for job in observer.live_jobs() if job["kind"] == "task"}
        asked = json.dumps([read_request(observer.tasks.open(job)) for job in live])
        for place in self.folder.iterdir():
            kept = any(source.startswith(str(place)) for source in needed)
            if not kept and place.name not in asked:
                shutil.rmtree(place, ignore_errors=True)

    def _known(self, name: str) -> tuple[Path, dict[str, Any]]:
        place = self.folder / name
        if not NAME.fullmatch(name):
            raise _gone()
        try:
            return place, read_json(place / "card.json")
        except (OSError, ValueError):
            raise _gone() from None


def make_router(observer: Observer) -> APIRouter:
    """The routes; what no longer is needed is removed first."""
    incoming = Incoming(observer.workspace)
    incoming.purge(observer)
    router = APIRouter()

    @router.post("/api/ingest/start")
    def start(told: Announcement) -> Response:
        return answer({"id": incoming.begin(told)})

    @router.post("/api/ingest/{name}")
    async def take(name: str, request: Request) -> Response:
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LARGEST_BATCH:
            error = DataError("I42", text.BATCH_TOO_LARGE, todo=text.USE_PATH)
            return JSONResponse({"error": as_facts(error)}, 413)
        batch = await request.body()
        return answer({"received": await run_in_threadpool(incoming.take, name, batch)})

    @router.post("/api/ingest/{name}/done")
    def done(name: str) -> Response:
        facts = asdict(incoming.finish(name))
        return answer({key: facts[key] for key in ("id", "title", "files", "bytes")})

    @router.post("/api/ingest/{name}/cancel")
    def cancel(name: str) -> Response:
        incoming.remove(name)
        return answer({})

    return router


def _unpack(batch: bytes) -> tuple[list[tuple[str, int]], memoryview]:
    """The names and sizes of a batch, and the bytes of all its files."""
    try:
        (length,) = struct.unpack_from(">I", batch)
        header = json.loads(batch[4 : 4 + length])
        entries = [(path, size) for path, size in header]
        fit = type(header) is list and all(
            type(path) is str and type(size) is int and size >= 0 for path, size in entries
        )
        content = memoryview(batch)[4 + length :]
        if not fit or sum(size for _, size in entries) != len(content):
            raise ValueError
    except (struct.error, ValueError, TypeError, RecursionError):
        raise DataError("I40", text.BROKEN, todo=text.AGAIN) from None
    return entries, content


def _target(root: Path, path: str) -> Path:
    """Where a file of this relative path belongs: below `root`, whatever the path says."""
    parts = path.split("/")
    if len(path) > LONGEST_PATH or not all(map(_fits, parts)):
        raise DataError("I40", text.NAME, item=path[-80:], todo=text.NAME_TODO)
    target = root.joinpath(*parts)
    if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(root)):
        raise DataError("I40", text.NAME, item=path[-80:], todo=text.NAME_TODO)
    return target


def _fits(part: str) -> bool:
    """Whether a path's part can be a plain file's name here."""
    if part in {"", ".", ".."} or len(part.encode("utf-8", "surrogatepass")) > LONGEST_NAME:
        return False
    if "\\" in part or "\0" in part or any("\ud800" <= sign <= "\udfff" for sign in part):
        return False
    foreign = bool(UNFIT & set(part) or RESERVED.fullmatch(part)) or part[-1] in " ."
    return os.name != "nt" or not (foreign or any(sign < " " for sign in part))


def _write(target: Path, content: memoryview, place: Path) -> None:
    part = place / f"part-{secrets.token_hex(4)}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as opened:
            opened.write(content)
        part.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        reason = (error.strerror or "unknown reason").lower()
        raise DataError(
            "I46", text.NOT_KEPT.format(reason=reason), item=target.name[-80:], todo=text.AGAIN
        ) from error


def _gone() -> DataError:
    return DataError("I45", text.GONE, todo=text.DROP_AGAIN)
