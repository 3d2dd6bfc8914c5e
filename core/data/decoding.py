"""Decode the files of an import into its journal, with what is known of them from before."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.data.decode import DecoderPool
from core.data.journal import Journal
from core.data.picture import Failure
from core.data.sources import Source, require_folder
from core.data.workplace import Earlier
from core.types import Reporter, Stopped

MOST_WORKERS = 8
FILES_PER_WORKER = 50  # a child takes half a second to start


@dataclass(frozen=True)
class Wanted:
    """One file to decode.

    Attributes:
        relative: Its name below the source.
        id: Its id in the journal.
        size: Bytes when the folder was listed.
        mtime: Modification time in ns then.
    """

    relative: str
    id: str
    size: int
    mtime: int


def workers_for(files: int) -> int:
    """How many children are worth starting."""
    return min(MOST_WORKERS, os.cpu_count() or 1, 1 + files // FILES_PER_WORKER)


def decode_files(
    wanted: Sequence[Wanted],
    source: Source,
    journal: Journal,
    earlier: Earlier | None,
    pool: DecoderPool,
    reporter: Reporter,
) -> None:
    """Bring every wanted file into the journal.

    Args:
        wanted: The files.
        source: Where they lie.
        journal: What an interrupted attempt left in it is not decoded again.
        earlier: Another import whose unchanged files are copied.
        pool: Decodes the rest.
        reporter: Told of every file; asked whether to stop.

    Raises:
        DataError: I01, the source disappeared.
        Stopped: The user asked to stop; the journal keeps what is complete.
    """
    count = _Count(len(wanted), reporter)
    left = [each for each in wanted if journal.done.get(each.id) != (each.size, each.mtime)]
    count.add(len(wanted) - len(left))
    if earlier is not None:
        left = list(_unknown(left, earlier, journal, count))
    current: Wanted | None = None
    by_name = {each.relative: each for each in left}
    for name, result in pool.decode((each.relative, source.path(each.relative)) for each in left):
        if current is not None and current.relative != name:
            _end(current, journal, count)
        current = by_name[name]
        if isinstance(result, Failure) and result.code == "I02":
            require_folder(source, count.done, len(wanted))
        journal.add(current.id, result)
        count.look()
    if current is not None:
        _end(current, journal, count)


def _unknown(
    wanted: Iterable[Wanted], earlier: Earlier, journal: Journal, count: _Count
) -> Iterator[Wanted]:
    """Copy what `earlier` knows; yields the rest."""
    for each in wanted:
        entry = earlier.find(each.id, each.size, each.mtime)
        if entry is None:
            yield each
            continue
        for decoded in entry.results:
            journal.add(each.id, decoded.result)
        _end(each, journal, count)


def _end(file: Wanted, journal: Journal, count: _Count) -> None:
    journal.end(file.id, file.size, file.mtime)
    count.add(1)


class _Count:
    """How many files are complete, as the reporter is told."""

    def __init__(self, total: int, reporter: Reporter) -> None:
        self.done = 0
        self._total = total
        self._reporter = reporter

    def add(self, files: int) -> None:
        self.done += files
        if files:
            self._reporter.progress(self.done, self._total)
        self.look()

    def look(self) -> None:
        if self._reporter.stop_requested():
            raise Stopped
