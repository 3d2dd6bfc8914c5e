"""A pool of decoding children: files in, pictures out, in order; a bad file costs one file."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.config import PixelSettings
from core.data.children import DecodeLimits, Make, Recipe, start_child
from core.data.fit import fit_picture
from core.data.keys import random_key
from core.data.ledger import Item, Ledger, Result
from core.data.picture import Failure
from core.errors import SystemError_

QUEUED = 4  # files a child is given ahead, so that it never waits for its parent
AHEAD = 64  # files, and pictures, per child that may wait for an earlier file: bounds the memory
START_S = 120.0  # a cold start from a slow disk
START_TRIES = 3


class _Child:
    """One child process and what it has been asked."""

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process = process
        self.connection = connection
        self.asked: deque[Item] = deque()
        self.ready = False
        self.since = time.monotonic()

    def ask(self, item: Item) -> None:
        if not self.asked:
            self.since = time.monotonic()
        self.asked.append(item)
        self.connection.send((item[0], str(item[1])))

    def works_on(self, name: str | None) -> bool:
        return bool(self.asked) and self.asked[0][0] == name

    def end(self) -> None:
        """Stop it, politely if it is idle; its pipe is closed."""
        self.connection.close()
        if self.asked or not self.ready:
            self.process.kill()
        self.process.join(2)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


class DecoderPool:
    """Decodes files in restartable child processes.

    Args:
        workers: Number of children, at least 1.
        pixels: Size, fit, window and frames of the pictures.
        timeout_s: Longest time for one picture.
        key: Site key for patients' numbers; a random one when they need not be recognised again.
        memory_mb: Memory a child may take for one file.
        label_tag: DICOM field to read as the label, or ``""``.
        make: What is made of each decoded image; see `core.data.view` for the other choice.

    Use as a context manager; children are started on first use and ended on exit.
    """

    def __init__(
        self,
        workers: int,
        pixels: PixelSettings,
        timeout_s: float = 20.0,
        *,
        key: bytes | None = None,
        memory_mb: int = 2048,
        label_tag: str = "",
        make: Make = fit_picture,
    ) -> None:
        self.workers = max(1, workers)
        self.recipe = Recipe(pixels, key or random_key(), label_tag, make)
        self.limits = DecodeLimits(timeout_s, memory_mb * 2**20)
        self.restarts = 0
        self._children: list[_Child] = []
        self._ledger = Ledger(iter(()), 0)
        self._failed_starts = 0
        self._temporary = Path(tempfile.mkdtemp(prefix="bedside-"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self._children:
            child.connection.close()  # of all first, so that they end side by side
        for child in self._children:
            child.end()
        self._children.clear()
        shutil.rmtree(self._temporary, ignore_errors=True)

    @property
    def working_ids(self) -> list[int]:
        """Process ids of the children that have a file in hand."""
        return [child.process.pid or 0 for child in self._children if child.ready and child.asked]

    def decode(self, items: Iterable[Item]) -> Generator[tuple[str, Result], None, None]:
        """Decode files.

        Args:
            items: ``(name, path)``; names are unique and come back with the results.

        Yields:
            ``(name, result)``, at least one for every item and one for every chosen picture of a
            file that holds several, in the order given. At most `AHEAD` pictures per child wait in
            memory, however many a file holds.

        Raises:
            SystemError_: E03, children cannot be started at all.
        """
        ledger = self._ledger = Ledger(iter(items), AHEAD * self.workers)
        try:
            while True:
                self._hand_out()
                yield from ledger.due()
                if not ledger.order:
                    if ledger.exhausted:
                        return
                    continue
                self._collect()
        finally:
            for child in [child for child in self._children if child.asked]:
                self._drop(child)  # the caller left early: its answers must not meet the next call

    def _hand_out(self) -> None:
        """Fill every child's queue."""
        while len(self._children) < self.workers:
            slot = Path(tempfile.mkdtemp(dir=self._temporary))
            self._children.append(_Child(*start_child(self.recipe, self.limits, slot)))
        for depth in range(QUEUED):  # level by level, so that few files spread over all children
            for child in [child for child in self._children if child.ready]:
                if len(child.asked) > depth:
                    continue
                item = self._ledger.next_item(idle=not child.asked)
                if item is not None:
                    self._ask(child, item)
        if not self._ledger.order and not any(child.ready for child in self._children):
            self._ledger.look_ahead()  # nothing is ready yet: learn whether there is work at all

    def _ask(self, child: _Child, item: Item) -> None:
        with contextlib.suppress(OSError):  # it died: `_collect` settles what it was asked
            child.ask(item)

    def _collect(self) -> None:
        """Take what children have finished; end those that died or took too long."""
        busy = [child for child in self._children if child.asked or not child.ready]
        listened = [child for child in busy if not self._held(child)]
        limit = min((self._deadline(child) for child in listened), default=0.0) - time.monotonic()
        readable: list[Any] = wait([child.connection for child in listened], max(0.0, limit))
        for child in busy:
            if child not in listened:
                child.since = time.monotonic()  # it waits for its parent: its clock stands still
            elif child.connection in readable:
                self._receive(child)
            elif time.monotonic() > self._deadline(child):
                self._lost(child, self._too_slow())

    def _held(self, child: _Child) -> bool:
        """Whether a child's pictures stay in its pipe, as too many wait for an earlier file.

        Only while another child works on that file: else everybody would wait for nobody.
        """
        ledger = self._ledger
        first = ledger.order[0] if ledger.order else None
        if not (ledger.crowded and child.ready) or child.works_on(first):
            return False
        return any(other.works_on(first) for other in self._children)

    def _deadline(self, child: _Child) -> float:
        return child.since + (self.limits.timeout_s if child.ready else START_S)

    def _receive(self, child: _Child) -> None:
        try:
            message = child.connection.recv()
        except (EOFError, OSError):
            self._lost(child, None)
            return
        child.since = time.monotonic()
        if not child.ready:
            child.ready = True
            self._failed_starts = 0
            return
        name, result, finished = message
        if result is not None:
            self._ledger.enter(name, result)
        if finished:
            child.asked.popleft()
            self._ledger.finish(name)

    def _too_slow(self) -> Failure:
        return Failure("I22", f"Decoding the file took longer than {self.limits.timeout_s:g} s.")

    def _lost(self, child: _Child, reason: Failure | None) -> None:
        """End a child; charge the file it was working on and give the rest of its queue to others.

        A file is charged for a death without `reason` only the second time: the first may be the
        system's doing, when memory runs out or somebody ends the process.
        """
        if child.asked:
            self.restarts += 1
            name = child.asked[0][0]
            if reason is None and not self._ledger.retry(name):
                reason = Failure("I21", "Decoding the file ended the decoder twice.")
            if reason is not None:
                child.asked.popleft()
                self._ledger.give_up(name, reason)
        elif not child.ready:
            self._failed_starts += 1
        self._ledger.hand_back(child.asked)
        self._drop(child)
        if self._failed_starts >= START_TRIES:
            raise SystemError_(
                "E03",
                "The processes that read images cannot be started",
                todo="Restart the computer or free some memory, then try again.",
            )

    def _drop(self, child: _Child) -> None:
        self._children.remove(child)
        child.process.kill()
        child.end()
