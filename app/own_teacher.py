"""A teacher's file of the user's: named by its path or dropped, looked at, taken in.

Both happen in tasks (`core.tasks.kinds.own_teacher`), which need torch. A dropped file arrives in
parts, because one batch of `app.ingest` holds at most 64 MB.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from app.ingest import Incoming
from app.observe import Observer
from app.text import models as text
from core.errors import ConfigError, DataError, ModelError
from core.runs.layout import RunFolder
from core.teachers.catalogue import find_teacher

PART = re.compile(r"(.+)\.part-(\d{4})")
LARGEST = 8 * 2**30  # bytes of a dropped file; a larger one is named by its path
NO_CARD = "M26"


def typed_place(typed: str) -> Path:
    """The file or folder whose path was typed.

    Raises:
        ConfigError: C41, it is no whole path; C42, there is nothing there.
    """
    plain = typed.strip().strip('"')
    path = Path(plain).expanduser()
    if not plain or not path.is_absolute():
        raise ConfigError("C41", text.NO_PATH, todo=text.NO_PATH_TODO)
    if not path.exists():
        raise ConfigError("C42", text.NO_FILE, item=path.name, todo=text.NO_FILE_TODO)
    return Path(os.path.normpath(path))  # not resolved: a link in a hub's folder keeps its name


def dropped_place(incoming: Incoming, name: str) -> Path:
    """What was dropped, its parts joined: the file, or the folder where there are several.

    Args:
        incoming: The dropped files of the workspace.
        name: Id of what has arrived.

    Raises:
        DataError: I45, nothing has arrived under this id; I42, it is too large.
    """
    arrived = incoming.open(name)
    if arrived.bytes > LARGEST:
        incoming.remove(name)
        raise DataError("I42", text.DROPPED_TOO_LARGE, todo=text.DROPPED_TOO_LARGE_TODO)
    for part in sorted(arrived.folder.rglob("*.part-????")):
        found = PART.fullmatch(part.name)
        if found:
            _join(part, part.with_name(found[1]))
    files = [path for path in arrived.folder.rglob("*") if path.is_file()]
    return files[0] if len(files) == 1 else arrived.folder


def known_teacher(place: Path) -> str:
    """How a configuration names the teacher at `place`; "" where no card says what it is.

    Raises:
        ModelError: There is a card, and something is wrong with it or with the file.
    """
    try:
        return find_teacher(str(place)).location
    except ModelError as error:
        if error.code != NO_CARD:
            raise
        return ""


def look_at(observer: Observer, place: Path) -> RunFolder:
    """Say what a file is, in a process of its own."""
    return _started(observer, "recognise", {"path": str(place)})


def take_in(observer: Observer, place: Path, answers: dict[str, Any]) -> RunFolder:
    """Keep a copy of a file's weights and a card with the user's answers, likewise."""
    return _started(observer, "adopt", {"path": str(place), "answers": answers})


def _started(observer: Observer, kind: str, request: dict[str, Any]) -> RunFolder:
    task = observer.tasks.start(kind, request)
    observer.forget()
    return task


def _join(part: Path, whole: Path) -> None:
    """Put a part at the end of the file that it belongs to; the first one becomes it."""
    if not whole.exists():
        part.rename(whole)
        return
    with whole.open("ab") as end, part.open("rb") as more:
        shutil.copyfileobj(more, end, 2**20)
    part.unlink()
