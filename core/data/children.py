"""The decoding child: a process that turns one file at a time into pictures and may die doing so.

Native decoders abort, hang and take gigabytes on hostile files (`reference/reliability.md` 0.3). In
a child of its own, with limits on memory and time, such a file costs itself and nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
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
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from core.config import PixelSettings
from core.data.fit import fit_picture
from core.data.picture import Failure, Given, Picture, Raster
from core.data.readers.base import HEAD_BYTES, READERS, Reader, image_suffixes, reader_for
from core.errors import DataError
from core.files import sha256_bytes
from core.outbound import watch_connections, watched

Make = Callable[[Raster, PixelSettings, str, bytes], Picture]  # importable by its name

LARGEST_FILE = 512 * 2**20  # bytes; larger ones hold many frames or volumes
KEPT_MEMORY = {-1: 2**26, -3: 2**25}  # bytes; M_TRIM_THRESHOLD, M_MMAP_THRESHOLD (its largest)
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


@dataclass(frozen=True)
class Recipe:
    """How a child turns files into pictures.

    Attributes:
        pixels: Size, fit, window and frames of the pictures.
        key: Site key for the numbers of patients, studies and series.
        label_tag: DICOM field whose text becomes the picture's label, or ``""``.
        make: What is made of a decoded image: the cache's picture, or that and more.
    """

    pixels: PixelSettings
    key: bytes
    label_tag: str = ""
    make: Make = fit_picture


def decode_file(path: Path, recipe: Recipe, temporary: Path) -> Iterator[Picture | Failure]:
    """Decode one file, picture by picture. Called in a child; never raises for a bad file.

    Args:
        path: The file.
        recipe: Settings and site key.
        temporary: Private folder for decoders.

    Yields:
        Every chosen picture of the file, and a failure for each that is damaged: at least one.
    """
    sha256 = ""
    reader = None
    frame = 0
    try:
        content = _read_regular(path)
        sha256 = sha256_bytes(content)
        reader = reader_for(content[:HEAD_BYTES])
        if reader is None:
            raise _not_an_image(content)
        for result in _pictures(reader, content, sha256, recipe, temporary):
            frame = 1 + (result.frame if isinstance(result, Failure) else result.place.frame)
            yield result
    except DataError as error:
        yield Failure(error.code, _sentence(error), sha256, frame)
    except MemoryError:
        reason = "Decoding the file takes more memory than is allowed."
        yield Failure("I23", reason, sha256, frame)
    except RecursionError:
        yield Failure("D42", "The file's header is nested too deeply.", sha256, frame)
    except OSError as error:
        if reader is None:
            yield Failure("I02", f"The file cannot be read ({_cause(error)}).", sha256)
        else:
            yield _damaged(reader.damaged, sha256, frame)
    except Exception:  # a child's outermost frame: decoders raise whatever they like on bad bytes
        words = reader.damaged if reader else ("I24", "The file is damaged")
        yield _damaged(words, sha256, frame)


def _pictures(
    reader: Reader, content: bytes, sha256: str, recipe: Recipe, temporary: Path
) -> Iterator[Picture | Failure]:
    """Every raster of a file as a picture; what decoders warn of is counted, never quoted."""
    labels = None
    rasters = reader.read(content, recipe.pixels, temporary)
    while True:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            raster = next(rasters, None)
            if raster is not None and recipe.label_tag and labels is None:
                labels = _tag_labels(reader, content, recipe.label_tag)
        if raster is None:
            return
        if isinstance(raster, Failure):
            yield replace(raster, sha256=sha256)
            continue
        if heard:
            raster = replace(raster, notes=(*raster.notes, f"{len(heard)} warnings of the decoder"))
        if labels is not None:
            raster = replace(raster, given=Given(labels=labels))
        yield recipe.make(raster, recipe.pixels, sha256, recipe.key)


def _tag_labels(reader: Reader, content: bytes, name: str) -> tuple[str, ...]:
    text = reader.tag(content, name)
    return (text,) if text else ()


def _sentence(error: DataError) -> str:
    return f"{error.what.rstrip('.')}. {error.todo}".strip()


def _damaged(words: tuple[str, str], sha256: str, frame: int) -> Failure:
    return Failure(words[0], f"{words[1]}.", sha256, frame)


def _cause(error: OSError) -> str:
    """The system's word for an error, without the path that `str` of it carries."""
    return (error.strerror or "unknown cause").lower()


def _not_an_image(content: bytes) -> DataError:
    if not content:
        return DataError("P02", "The file is empty")
    kinds = ", ".join(sorted(image_suffixes()))
    return DataError("P01", f"The file holds no image of a known kind ({kinds})")


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
    recipe: Recipe,
    limits: DecodeLimits,
    temporary: Path,
    workspace: Path | None,
) -> None:
    """Main function of a child: say "ready", then answer every (name, path).

    An answer is (name, result, finished). A file of several pictures is answered by one message for
    each and a last one without a result; a picture is decoded when the one before has been taken.
    """
    if workspace is not None:
        watch_connections(workspace, "decoder")
    with Path(os.devnull).open("r+b", buffering=0) as silence:
        _isolate(silence.fileno())
        keep_memory()
        reader_for(b"")  # load every reader now, so that no file is charged for it
        _limit_memory(limits.memory)
        connection.send("ready")
        with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
            while True:
                name, path = connection.recv()
                results = decode_file(Path(path), recipe, temporary)
                while True:
                    # Ends this process even if native code hangs and the parent is gone.
                    with contextlib.suppress(RuntimeError):  # no memory for its thread
                        limit = limits.timeout_s + 5
                        faulthandler.dump_traceback_later(limit, exit=True, file=silence)
                    result = next(results, None)
                    faulthandler.cancel_dump_traceback_later()
                    finished = result is None or _is_whole(result)
                    connection.send((name, result, finished))
                    if finished:
                        break


def _is_whole(result: Picture | Failure) -> bool:
    """Whether a file's result is known to be its only one."""
    return isinstance(result, Picture) and result.place.frames == 1


def _isolate(silence: int) -> None:
    """Let nothing a decoder prints reach a log: their warnings quote headers and paths."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    for stream in (1, 2):
        os.dup2(silence, stream)
    logging.disable(logging.CRITICAL)


def keep_memory() -> None:
    """Use the memory of one picture for the next, where the C library is glibc.

    By itself it gives every array back to the system, which clears each page anew for the next: a
    third of the time of a slice of 512 x 512.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if tune is not None:
        for setting, size in KEPT_MEMORY.items():
            tune(setting, size)


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


@cache
def _context() -> Any:
    """How children start: forked from a server that has loaded the readers, once for all of them.

    Where a fork is not safe (macOS) or unknown (Windows), each child loads them itself.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    readers = {type(READERS.get(name)).__module__ for name in READERS.names()}
    context.set_forkserver_preload([__name__, *sorted(readers)])
    return context


def start_child(
    recipe: Recipe, limits: DecodeLimits, temporary: Path
) -> tuple[BaseProcess, Connection]:
    """Start a decoding child and return it with the parent's end of its pipe."""
    context = _context()
    ours, theirs = context.Pipe()
    arguments = (theirs, recipe, limits, temporary, watched())
    process = context.Process(target=serve, args=arguments, name="bedside-decoder", daemon=True)
    with _without_main():
        process.start()
    theirs.close()
    return process, ours


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Hide the main module while a child starts.

    A child imports its parent's main module again: for the training worker that is torch,
    seconds and hundreds of megabytes that a decoder has no use for.
    """
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
