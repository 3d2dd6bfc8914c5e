"""The server's own log: what went wrong and where in the code; no patient, no path, no secret."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from core.runs.work import describe_trace

LARGEST = 1_000_000  # bytes
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
ErrorFacts = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


class NoNames(logging.Formatter):
    """Shows errors without what they quote from the data, and without the user's folders."""

    def formatException(self, ei: ErrorFacts) -> str:
        """Called by `logging` for a record that comes with an error."""
        return describe_trace(ei[1]) if ei[1] is not None else ""


def write_log(workspace: Path) -> None:
    """Write our own remarks and every library's complaints to ``server.log``.

    The complaints also appear in the window where Bedside was started.
    """
    file = RotatingFileHandler(
        workspace / "server.log", maxBytes=LARGEST, backupCount=2, encoding="utf-8"
    )
    window = logging.StreamHandler(sys.stderr)
    window.setLevel(logging.ERROR)
    for handler in (file, window):
        handler.setFormatter(NoNames(FORMAT))
        logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_no_farewell)
    logging.getLogger("bedside").setLevel(logging.INFO)


def _is_no_farewell(record: logging.LogRecord) -> bool:
    """Open pages keep their connections; that they are cut at the end is no error."""
    return "timeout graceful shutdown exceeded" not in record.getMessage()
