"""Where an import works until it is complete, and which earlier imports it can build on.

A working folder is called ``.<data set>.<pid>-<start of that process>``. When its process is gone,
the next import of the same data set takes the folder over by renaming it, which only one can do.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from core.data import journal
from core.data.cache import stored_pictures
from core.errors import DataError
from core.files import private_folder

KEPT_DAYS = 14  # an import that nobody continued for so long is given up


def claim(folder: Path) -> Path:
    """The working folder for a data set: what a dead import of it left, or a new one.

    Args:
        folder: The data set's folder, which does not exist yet.
    """
    own = folder.parent / f".{folder.name}.{_signature(psutil.Process())}"
    for left in sorted(folder.parent.glob(f".{folder.name}.*"), key=_age):
        if left != own and not _is_alive(left):
            try:
                left.rename(own)
            except OSError:
                continue  # another import was faster, or ours exists already
            return private_folder(own)
    return private_folder(own)


def clear_old(datasets: Path) -> None:
    """Remove unpacked archives of dead imports, and working folders nobody continued for long."""
    for path in datasets.glob(".*.*"):
        given_up = path.name.partition(".files.")[1] or _age(path) > KEPT_DAYS * 86400
        if given_up and not _is_alive(path):
            shutil.rmtree(path, ignore_errors=True)


def unpacking_folder(folder: Path) -> Path:
    """Where an archive is unpacked while it is read; never continued."""
    return folder.parent / f".{folder.name}.files.{_signature(psutil.Process())}"


def _signature(process: psutil.Process) -> str:
    return f"{process.pid}-{int(process.create_time())}"


def _is_alive(path: Path) -> bool:
    """Whether the process that a folder's name tells of still runs."""
    number, _, started = path.suffix.removeprefix(".").partition("-")
    try:
        return _signature(psutil.Process(int(number))) == f"{number}-{started}"
    except (psutil.Error, ValueError):
        return False


def _age(path: Path) -> float:
    """Seconds since the folder last changed."""
    try:
        newest = max(child.stat().st_mtime for child in (path, *path.iterdir()))
    except OSError:
        return 0.0
    return time.time() - newest


class Earlier:
    """An earlier import of the same folder with the same recipe, complete or not.

    Args:
        folder: Its folder; it stays as it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / journal.NAME
        self._pixels = stored_pictures(folder)
        self._places = {
            file: (size, mtime, offset)
            for file, size, mtime, offset in journal.entry_places(self._path)
        }

    def __len__(self) -> int:
        return len(self._places)

    def find(self, file: str, size: int, mtime: int) -> journal.Entry | None:
        """What it knows of a file that has not changed since; pictures with their pixels."""
        known = self._places.get(file)
        if known is None or known[:2] != (size, mtime):
            return None
        entry = journal.entry_at(self._path, known[2])
        if entry is None or entry.file != file or entry.may_recover:
            return None
        return journal.with_pixels(entry, self._pixels)


def earlier_imports(datasets: Path, origin: Mapping[str, Any]) -> Iterator[Path]:
    """Folders of imports with this origin, the newest first."""
    found = [path for path in datasets.iterdir() if path.is_dir()]
    for path in sorted(found, key=_age):
        head = journal.read_origin(path)
        if {key: head.get(key) for key in origin} == dict(origin):
            yield path


def open_earlier(datasets: Path, origin: Mapping[str, Any], own: Path) -> Earlier | None:
    """The newest earlier import that can be read and is not `own`."""
    for path in earlier_imports(datasets, origin):
        if path == own or (path.name.startswith(".") and _is_alive(path)):
            continue
        try:
            return Earlier(path)
        except (OSError, ValueError, KeyError, DataError):
            continue
    return None
