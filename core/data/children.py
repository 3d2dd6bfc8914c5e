"""The decoding child: a process that turns one file at a time into a picture and may die doing so.

Native decoders abort, hang and take gigabytes on hostile files (`reference/reliability.md` 0.3). In
a child of its own, with limits on memory and time, such a file costs itself and nothing else.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import multiprocessing
import os
import signal
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from core.config import PixelSettings
from core.data.fit import fit_picture
from core.data.picture import Failure, Picture, Raster
from core.data.readers.base import HEAD_BYTES, image_suffixes, reader_for
from core.errors import DataError
from core.files import sha256_bytes
from core.outbound import watch_connections, watched

Make = Callable[[Raster, PixelSettings, str, bytes], Picture]  # importable by its name

LARGEST_FILE = 512 * 2**20  # bytes; larger ones hold many frames or volumes
_starting = threading.Lock()


@dataclass(frozen=True)
class DecodeLimits:
    """What a child may use.

    Attributes:
        timeout_s: Longest time for one file.
        memory: Bytes of address space beyond what the child has after loading its libraries.
    """

    timeout_s: float = 20.0
    memory: int = 2 * 2**30


def decode_file(
    path: Path, settings: PixelSettings, key: bytes, temporary: Path, make: Make = fit_picture
) -> Picture | Failure:
    """Decode one file. Called in a child; never raises for a bad file.

    Args:
        path: The file.
        settings: Size, fit and window of the result.
        key: Site key for the patient's number.
        temporary: Private folder for decoders.
        make: What is made of the decoded image: the cache's picture, or that and more.
    """
    sha256 = ""
    reader = None
    try:
        content = _read_regular(path)
        sha256 = sha256_bytes(content)
        reader = reader_for(content[:HEAD_BYTES])
        if reader is None:
            raise _not_an_image(content)
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            raster = reader.read(content, settings, temporary)
        picture = make(raster, settings, sha256, key)
        return (
            picture if not heard else _with_note(picture, f"{len(heard)} warnings of the decoder")
        )
    except DataError as error:
        return Failure(error.code, f"{error.what.rstrip('.')}. {error.todo}".strip(), sha256)
    except MemoryError:
        return Failure("I23", "Decoding the file takes more memory than is allowed.", sha256)
    except OSError as error:
        if reader is None:
            return Failure("I02", f"The file cannot be read ({_cause(error)}).", sha256)
        return _damaged(reader.damaged, sha256)
    except Exception:  # a child's outermost frame: decoders raise whatever they like on bad bytes
        return _damaged(reader.damaged if reader else ("I24", "The file is damaged"), sha256)


def _damaged(words: tuple[str, str], sha256: str) -> Failure:
    return Failure(words[0], f"{words[1]}.", sha256)


def _cause(error: OSError) -> str:
    """The system's word for an error, without the path that `str` of it carries."""
    return (error.strerror or "unknown cause").lower()


def _not_an_image(content: bytes) -> DataError:
    if not content:
        return DataError("P02", "The file is empty")
    kinds = ", ".join(sorted(image_suffixes()))
    return DataError("P01", f"The file holds no image of a known kind ({kinds})")


def _with_note(picture: Picture, note: str) -> Picture:
    notes = "; ".join(part for part in (picture.notes, note) if part)
    return replace(picture, notes=notes)


def _read_regular(path: Path) -> bytes:
    """Read a plain file; a pipe or device would wait for ever."""
    facts = path.stat()
    if not path.is_file():
        raise DataError("I05", "Not a plain file")
    if facts.st_size > LARGEST_FILE:
        raise DataError("I06", f"The file is larger than {LARGEST_FILE // 2**20} MB")
    return path.read_bytes()


def serve(
    connection: Connection,
    settings: PixelSettings,
    key: bytes,
    limits: DecodeLimits,
    temporary: Path,
    workspace: Path | None,
    make: Make,
) -> None:
    """Main function of a child: say "ready", then answer (name, path) with (name, result)."""
    if workspace is not None:
        watch_connections(workspace, "decoder")
    with Path(os.devnull).open("r+b", buffering=0) as silence:
        _isolate(silence.fileno())
        reader_for(b"")  # load every reader now, so that no file is charged for it
        _limit_memory(limits.memory)
        connection.send("ready")
        with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
            while True:
                name, path = connection.recv()
                # Ends this process even if native code hangs and the parent is gone.
                with contextlib.suppress(RuntimeError):  # no memory for its thread
                    faulthandler.dump_traceback_later(limits.timeout_s + 5, exit=True, file=silence)
                result = decode_file(Path(path), settings, key, temporary, make)
                faulthandler.cancel_dump_traceback_later()
                connection.send((name, result))


def _isolate(silence: int) -> None:
    """Let nothing a decoder prints reach a log: their warnings quote headers and paths."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    for stream in (1, 2):
        os.dup2(silence, stream)
    logging.disable(logging.CRITICAL)


def _limit_memory(extra: int) -> None:
    if sys.platform != "linux":  # macOS ignores the limit, Windows has none: header checks remain
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    allowed = pages * resource.getpagesize() + extra
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        allowed = min(allowed, hard)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))


def start_child(
    settings: PixelSettings, key: bytes, limits: DecodeLimits, temporary: Path, make: Make
) -> tuple[BaseProcess, Connection]:
    """Start a decoding child and return it with the parent's end of its pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (theirs, settings, key, limits, temporary, watched(), make)
    process = context.Process(target=serve, args=arguments, name="bedside-decoder", daemon=True)
    with _without_main():
        process.start()
    theirs.close()
    return process, ours


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Hide the main module while a child starts.

    A spawned child imports its parent's main module again: for the training worker that is torch,
    seconds and hundreds of megabytes that a decoder has no use for.
    """
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
