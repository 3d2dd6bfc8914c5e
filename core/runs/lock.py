"""A lock on a file that the system itself releases when its holder dies, however it dies.

`lockf` and not `flock`: a `flock` is inherited by forked children and stayed held after its owner
was killed (measured, `reference/style.md` 7). Its price is that a process loses its `lockf` when it
closes *any* handle of the same file, so a file is opened here only, and once per process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from core.errors import SystemError_

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

POLL_S = 0.02
LOCKED_BYTE = 1 << 30  # far beyond the content, because Windows bars others from a locked byte
BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}

_held: set[Path] = set()
_guard = threading.Lock()


class FileLock:
    """An exclusive lock on one file, between processes and between threads of one process.

    Args:
        path: The file; made when missing, in a folder that exists. It is never deleted by the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._descriptor: int | None = None

    def acquire(self, timeout_s: float = 0.0) -> bool:
        """Take the lock, trying for `timeout_s` seconds; return whether it is held now.

        Raises:
            SystemError_: The file cannot be opened, or its disk knows no locks.
        """
        deadline = time.monotonic() + timeout_s
        while not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        return True

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        with _guard:
            if self._descriptor is not None:
                os.close(self._descriptor)  # closing is what releases it, on every system
                self._descriptor = None
                _held.discard(self.path)

    @contextlib.contextmanager
    def held(self, timeout_s: float) -> Iterator[bool]:
        """Hold the lock for a ``with`` block; yields whether it could be taken in time."""
        taken = self.acquire(timeout_s)
        try:
            yield taken
        finally:
            self.release()

    def _try(self) -> bool:
        with _guard:
            if self.path in _held:  # opening it a second time would drop the lock that is held
                return False
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
                taken = _lock_byte(descriptor)
            except OSError as error:
                raise SystemError_(
                    "E03",
                    f"A file could not be locked ({error.strerror or 'unknown reason'})",
                    item=self.path.name,
                    todo="Put the workspace on a local disk that can be written.",
                ) from error
            if taken:
                self._descriptor = descriptor
                _held.add(self.path)
            return taken


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock on `path` at this moment; a missing file is free."""
    if not path.exists():
        return True
    with FileLock(path).held(0.0) as taken:
        return taken


def _lock_byte(descriptor: int) -> bool:
    """Lock without waiting; closes `descriptor` unless the lock was taken."""
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, LOCKED_BYTE)
    except OSError as error:
        os.close(descriptor)
        if error.errno in BUSY:
            return False
        raise
    return True
