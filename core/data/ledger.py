"""What a pool of decoders has been asked and what has come back, in the order of the files."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from core.data.picture import Failure, Picture

Item = tuple[str, Path]
Result = Picture | Failure


class Ledger:
    """Files and results of one call; knows no processes.

    Args:
        source: The files, ``(name, path)`` with unique names.
        room: Files, and likewise pictures, that may wait for an earlier file.

    Attributes:
        order: Names given out and not yet settled with the caller.
        exhausted: Whether `source` has no more.
    """

    def __init__(self, source: Iterator[Item], room: int) -> None:
        self.order: deque[str] = deque()
        self.exhausted = False
        self._source = source
        self._room = room
        self._waiting: deque[Item] = deque()  # given to a child that died before reaching them
        self._arrived: dict[str, deque[Result]] = {}
        self._held = 0  # results in `_arrived`
        self._finished: set[str] = set()
        self._frames: dict[str, tuple[int, int]] = {}  # name to next frame, frames
        self._count: Counter[str] = Counter()  # results of unfinished files so far
        self._repeated: Counter[str] = Counter()  # of those, how many a retry will send again
        self._suspects: set[str] = set()

    @property
    def crowded(self) -> bool:
        """Whether as many pictures wait as may."""
        return self._held >= self._room

    def next_item(self, *, idle: bool) -> Item | None:
        """A file for a child.

        Args:
            idle: Whether the child has nothing else. Files that were handed back go to idle ones
                alone, so that no child meets an early file behind a late one.
        """
        if self._waiting and idle:
            return self._waiting.popleft()
        if self.exhausted or len(self.order) >= self._room or self.crowded:
            return None
        item = next(self._source, None)
        if item is None:
            self.exhausted = True
            return None
        self.order.append(item[0])
        return item

    def look_ahead(self) -> None:
        """Keep the next file for later, or learn that there is none."""
        item = self.next_item(idle=False)
        if item is not None:
            self._waiting.append(item)

    def enter(self, name: str, result: Result) -> None:
        """Take one result of a file, unless it came before its child died."""
        if self._repeated[name]:
            self._repeated[name] -= 1
            return
        self._count[name] += 1
        self._held += 1
        self._arrived.setdefault(name, deque()).append(result)
        if isinstance(result, Failure):
            self._frames[name] = result.frame + 1, result.frames
        else:
            self._frames[name] = result.place.frame + 1, result.place.frames

    def finish(self, name: str) -> None:
        """Note that a file has no more results."""
        self._finished.add(name)
        for facts in (self._frames, self._count, self._repeated):
            facts.pop(name, None)

    def give_up(self, name: str, reason: Failure) -> None:
        """End a file by a failure, for the frame that was to come."""
        frame, frames = self._frames.get(name, (0, 1))
        self._repeated.pop(name, None)
        self.enter(name, replace(reason, frame=frame, frames=frames))
        self.finish(name)

    def retry(self, name: str) -> bool:
        """Whether a file whose child died may be tried again: once."""
        if name in self._suspects:
            return False
        self._suspects.add(name)
        self._repeated[name] = self._count[name]
        return True

    def hand_back(self, items: Iterable[Item]) -> None:
        """Take files back from a child that died, earliest first."""
        places = {name: place for place, name in enumerate(self.order)}
        self._waiting.extend(items)
        self._waiting = deque(sorted(self._waiting, key=lambda item: places[item[0]]))

    def due(self) -> Iterator[tuple[str, Result]]:
        """Everything that can be passed on in the order of the files."""
        while self.order:
            name = self.order[0]
            arrived = self._arrived.get(name, deque())
            while arrived:
                self._held -= 1
                yield name, arrived.popleft()
            if name not in self._finished:
                return
            self.order.popleft()
            self._finished.discard(name)
            self._arrived.pop(name, None)
