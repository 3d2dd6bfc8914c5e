"""One run at a time on a device, first come, first served, without a server.

Every waiting worker holds the lock of a ticket file of its own, numbered in order of arrival; the
lowest ticket whose lock is held is served. A worker that dies loses its lock, so the next one takes
over at once. The run's id stands in the ticket's name, because opening a locked file to read it
would drop the lock (see `core.runs.lock`).
"""

from __future__ import annotations

import contextlib
import platform
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import SystemError_
from core.files import private_folder
from core.runs.lock import FileLock, is_free
from core.types import Stopped

POLL_S = 0.2
GATE_S = 10.0  # the gate is held for milliseconds; longer means that its disk hangs
TICKET = re.compile(r"(?P<number>\d{8})-(?P<run>.+)\.ticket")


@dataclass(frozen=True)
class Waiting:
    """What a worker waits for.

    Args:
        device: The device, such as ``"cpu"`` or ``"cuda:0"``.
        run: Id of the run that uses it.
        ahead: How many other runs are to be served before this one.
    """

    device: str
    run: str
    ahead: int

    @property
    def sentence(self) -> str:
        """In plain words."""
        others = f" and {self.ahead} more {'is' if self.ahead == 1 else 'are'} ahead"
        return f"Waiting for {self.device}: run {self.run} is using it" + (
            f"{others}." if self.ahead else "."
        )


class DeviceQueue:
    """The queue in front of one device of this machine.

    Args:
        workspace: The workspace whose runs share the queue.
        device: The device; two names are two queues.
    """

    def __init__(self, workspace: Path, device: str) -> None:
        self._device = device
        name = re.sub(r"[^a-z0-9]+", "-", f"{platform.node()}-{device}".lower()).strip("-")
        self._folder = private_folder(workspace / "queue" / name)

    @contextlib.contextmanager
    def turn(
        self,
        run: str,
        tell: Callable[[Waiting], None],
        stop_requested: Callable[[], bool],
    ) -> Iterator[None]:
        """Wait for this run's turn and keep the device for a ``with`` block.

        Args:
            run: Id of the run that waits.
            tell: Called when the wait begins and whenever what is waited for changes.
            stop_requested: Asked while waiting.

        Raises:
            Stopped: `stop_requested` turned true before the turn came.
            SystemError_: The workspace's disk knows no locks.
        """
        ticket = self._take_ticket(run)
        try:
            told = None
            while waiting := self._waiting(ticket.path):
                if stop_requested():
                    raise Stopped
                if waiting != told:
                    tell(told := waiting)
                time.sleep(POLL_S)
            yield
        finally:
            with self._gate():
                ticket.release()
                _discard(ticket.path)

    def _take_ticket(self, run: str) -> FileLock:
        with self._gate():
            self._discard_dead()
            number = 1 + max((number for number, _, _ in self._tickets()), default=0)
            ticket = FileLock(self._folder / f"{number:08d}-{run}.ticket")
            ticket.acquire()
            return ticket

    def _waiting(self, own: Path) -> Waiting | None:
        """What stands before the ticket `own`; None when it is its turn."""
        before = [(run, path) for _, run, path in self._tickets() if path.name < own.name]
        living = [run for run, path in before if not is_free(path)]
        return Waiting(self._device, living[0], len(living) - 1) if living else None

    def _tickets(self) -> list[tuple[int, str, Path]]:
        found = [(TICKET.fullmatch(path.name), path) for path in sorted(self._folder.iterdir())]
        return [(int(match["number"]), match["run"], path) for match, path in found if match]

    def _discard_dead(self) -> None:
        for _, _, path in self._tickets():
            if is_free(path):
                _discard(path)

    @contextlib.contextmanager
    def _gate(self) -> Iterator[None]:
        """Tickets come and go one at a time, or two workers could believe they are first."""
        with FileLock(self._folder / "gate.lock").held(GATE_S) as taken:
            if not taken:
                raise SystemError_(
                    "E04",
                    "The queue of a device does not answer",
                    item=self._device,
                    todo="Check that the workspace's disk works, then try again.",
                )
            yield


def _discard(ticket: Path) -> None:
    with contextlib.suppress(OSError):  # on Windows while another worker looks at it
        ticket.unlink(missing_ok=True)
