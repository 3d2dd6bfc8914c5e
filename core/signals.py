"""Signals that ask a process to end, heard as a request to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = ("SIGTERM", "SIGINT", "SIGBREAK")  # the last is Windows' Ctrl-Break


@contextmanager
def stop_on_signal(ask: Callable[[], None]) -> Iterator[None]:
    """Turn the signals that ask a process to end into a request to stop, for a ``with`` block.

    Args:
        ask: Called in the signal handler, so it should only set a flag.
    """
    if threading.current_thread() is not threading.main_thread():  # only it may set handlers
        yield
        return

    def heard(number: int, frame: FrameType | None) -> None:
        ask()

    names = [name for name in SIGNALS if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), heard) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
