"""What an import has decoded so far, on disk, so that a stopped or killed one goes on where it was.

One line for every picture (everything but its pixels, which are in the cache) and one when its file
is complete: ``{"end": file, "size", "mtime", "results"}``. A file is its image id, never its name.
What an interruption tore off (a line, a file's last pictures, pixels that never reached the disk)
is cut away when the journal is opened again, so that journal and cache agree.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from core.data.cache import FILE_NAME, CacheWriter, narrowed, pixels_sha256, stored_pictures
from core.data.picture import Array, Failure, Given, Marks, Picture, Place

NAME = "decoded.jsonl"
FILES = (NAME, FILE_NAME)
VERSION = 1
LOST = ("I02", "I21", "I22", "I23")  # failures that another attempt may not meet
SYNC_S = 10.0  # at most that much work is lost in a power cut
CHECKED = 512  # last pictures whose pixels are compared with their hash when it is opened again
NO_PIXELS = np.zeros((0, 0, 0), dtype=np.uint8)
NESTED = {"place": Place, "marks": Marks, "given": Given}

Result = Picture | Failure
Json = dict[str, Any]


@dataclass(frozen=True)
class Decoded:
    """One result as the journal keeps it.

    Attributes:
        result: A failure, or a picture without its pixels.
        row: Place of its pixels in the cache; -1 where it has none.
    """

    result: Result
    row: int = -1


@dataclass(frozen=True)
class Entry:
    """One complete file.

    Attributes:
        file: Its id.
        size: Bytes when it was read.
        mtime: Modification time in ns when it was read.
        results: What it gave, in order.
    """

    file: str
    size: int
    mtime: int
    results: tuple[Decoded, ...]

    @property
    def may_recover(self) -> bool:
        """Whether reading the file again may give more."""
        return any(getattr(each.result, "code", "") in LOST for each in self.results)


class Journal:
    """The journal and the cache of one import, written together.

    Args:
        folder: Private working folder; what is there of an earlier attempt is taken up.
        size_px: Side of the pictures.
        origin: Facts that must be equal for pictures to be of use to another import.

    Attributes:
        done: Files that are complete, with size and modification time when they were read; not
            those that another attempt may read.
    """

    def __init__(self, folder: Path, size_px: int, origin: Mapping[str, Any]) -> None:
        self.path = folder / NAME
        self.done: dict[str, tuple[int, int]] = {}
        head = json.dumps({"version": VERSION, **origin}).encode() + b"\n"
        end, rows = _recovered(self.path, head, folder, self.done)
        self.cache = CacheWriter(folder, size_px, kept=rows)
        self._file: BinaryIO = self.path.open("r+b" if end else "w+b")
        if end:
            self._file.truncate(end)
            self._file.seek(end)
        else:
            self._file.write(head)
        self._synced = time.monotonic()
        self._results = 0

    def add(self, file: str, result: Result) -> None:
        """Keep one result of a file, and its pixels."""
        facts = _facts(result)
        if isinstance(result, Picture):
            facts["row"] = self.cache.append(result.pixels)
        self._write({"file": file, **facts})
        self._results += 1

    def end(self, file: str, size: int, mtime: int) -> None:
        """Note that a file is complete."""
        self._write({"end": file, "size": size, "mtime": mtime, "results": self._results})
        self._results = 0
        self.done[file] = size, mtime
        if time.monotonic() - self._synced > SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Put everything on disk, pixels first."""
        self.cache.sync()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def finish(self) -> None:
        """Complete both files."""
        self.sync()
        self.cache.finish()
        self._file.close()

    def close(self) -> None:
        """Close both files, complete or not; what was added is kept."""
        self.cache.close()
        self._file.close()

    def _write(self, line: Json) -> None:
        text = json.dumps(line, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        self._file.write(text.encode("utf-8") + b"\n")


def entry_at(path: Path, start: int) -> Entry | None:
    """The complete file whose first line is at `start` (`entry_places`); None if unreadable."""
    return next((entry for entry, _ in _entries(path, start)), None)


def with_pixels(entry: Entry, pictures: Array) -> Entry | None:
    """The same with the pictures' pixels; None where those are not what they were.

    Args:
        entry: From a journal.
        pictures: The cache beside it: `core.data.cache.stored_pictures`.
    """
    results = []
    for each in entry.results:
        result = each.result
        if isinstance(result, Picture):
            if each.row >= len(pictures) or not _is_same(result, pictures[each.row]):
                return None
            result = replace(result, pixels=narrowed(pictures[each.row]))
        results.append(replace(each, result=result))
    return replace(entry, results=tuple(results))


def read_origin(folder: Path) -> Json:
    """The facts in the head of a journal; empty where there is none that can be read."""
    try:
        with (folder / NAME).open("rb") as opened:
            head = json.loads(opened.readline(65536))
    except (OSError, ValueError):
        return {}
    return head if isinstance(head, dict) else {}


def holds_pictures(folder: Path) -> bool:
    """Whether there is anything in a working folder that another attempt could use."""
    try:
        read = next(entry_places(folder / NAME), None)
    except OSError:
        return False
    return read is not None and len(stored_pictures(folder)) > 0


def entry_places(path: Path) -> Iterator[tuple[str, int, int, int]]:
    """File, size, modification time and offset of every complete file of a journal."""
    start = -1
    with path.open("rb") as opened:
        opened.readline()
        while True:
            offset = opened.tell()
            line = opened.readline()
            if not line.endswith(b"\n"):
                return
            start = offset if start < 0 else start
            if line.startswith(b'{"end"'):
                told = json.loads(line)
                yield told["end"], told["size"], told["mtime"], start
                start = -1


def _entries(path: Path, start: int) -> Iterator[tuple[Entry, int]]:
    """Complete files and the offset after each; ends at the first line that makes no sense."""
    results: list[Decoded] = []
    with path.open("rb") as opened:
        if start:
            opened.seek(start)
        else:
            opened.readline()
        for line in iter(opened.readline, b""):
            try:
                told = json.loads(line) if line.endswith(b"\n") else {}
                if "end" not in told:
                    results.append(_decoded(told))
                    continue
                if told["results"] != len(results):
                    return
                entry = Entry(told["end"], told["size"], told["mtime"], tuple(results))
            except (ValueError, KeyError, TypeError):
                return
            yield entry, opened.tell()
            results = []


def _recovered(
    path: Path, head: bytes, folder: Path, done: dict[str, tuple[int, int]]
) -> tuple[int, int]:
    """End of what can be kept of a journal, and the pictures it names; fills `done`."""
    if not path.exists() or _head(path) != head:
        return 0, 0
    pixels, end, rows = stored_pictures(folder), len(head), 0
    last: deque[tuple[Entry, int, int]] = deque(maxlen=CHECKED)
    for entry, after in _entries(path, 0):
        own = [each.row for each in entry.results if each.row >= 0]
        if own != list(range(rows, rows + len(own))) or rows + len(own) > len(pixels):
            break
        last.append((entry, end, rows))
        end, rows = after, rows + len(own)
        done.pop(entry.file, None)
        if not entry.may_recover:
            done[entry.file] = entry.size, entry.mtime
    for place, (entry, before, first) in enumerate(last):
        if not _is_intact(entry, pixels):  # lost in a power cut: go on before it
            for other, _, _ in list(last)[place:]:
                done.pop(other.file, None)
            return before, first
    return end, rows


def _head(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.readline(65536)


def _is_intact(entry: Entry, pixels: Array) -> bool:
    return all(
        _is_same(each.result, pixels[each.row])
        for each in entry.results
        if isinstance(each.result, Picture)
    )


def _is_same(picture: Picture, pixels: Array) -> bool:
    return pixels_sha256(pixels) == picture.pixels_sha256


def _facts(result: Result) -> Json:
    """A result as plain values; what is at its default is left out."""
    if isinstance(result, Failure):
        return {"failure": _lean(result)}
    return _lean(result) | {name: lean for name in NESTED if (lean := _lean(getattr(result, name)))}


def _lean(thing: Any) -> Json:
    found = {}
    for field in fields(thing):
        value = getattr(thing, field.name)
        if field.name in NESTED or field.name == "pixels" or value == field.default:
            continue
        if isinstance(value, float) and math.isnan(value):
            continue
        found[field.name] = value
    return found


def _decoded(told: Json) -> Decoded:
    if "failure" in told:
        return Decoded(Failure(**told["failure"]))
    facts = {key: value for key, value in told.items() if key not in {"file", "row"}}
    for name, kind in NESTED.items():
        if name in facts:
            facts[name] = kind(**{key: _frozen(value) for key, value in facts[name].items()})
    return Decoded(Picture(pixels=NO_PIXELS, **facts), told["row"])


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
