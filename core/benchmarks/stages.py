"""Where the time of one imported image goes: each step on its own, in this process."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from core.config import PixelSettings
from core.data.cache import pixels_sha256
from core.data.children import keep_memory
from core.data.fit import fit_picture
from core.data.grey_header import grey_of
from core.data.hashes import perceptual_hash
from core.data.header import align_bits, check_layout, read_header
from core.data.journal import Journal
from core.data.keys import random_key
from core.data.picture import Failure, Picture, Raster
from core.data.pixels import render
from core.data.readers.base import HEAD_BYTES, reader_for
from core.data.stored import stored_values
from core.errors import DataError
from core.files import sha256_bytes

STAGES = (
    "reading", "header", "decoding", "window", "fitting", "hashing", "sending", "writing",
)  # fmt: skip
MICROSECONDS = 1e6


class _Clock:
    """Seconds spent in each stage, summed over the images."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextlib.contextmanager
    def stage(self, name: str, sign: int = 1) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += sign * (time.perf_counter() - started)


def time_stages(files: Sequence[Path]) -> dict[str, float]:
    """Take every file through the steps of an import, one after the other.

    Args:
        files: Images of one kind, one picture each.

    Returns:
        Microseconds per image for those of `STAGES` that the kind has (a PNG has no header and no
        window of its own: they are in ``decoding``), and their ``total``.
    """
    clock, key, settings = _Clock(), random_key(), PixelSettings()
    keep_memory()  # as a decoding child does
    with tempfile.TemporaryDirectory(prefix="bedside-bench-") as name:
        folder = Path(name)
        journal = Journal(folder, settings.size_px, {})
        with contextlib.closing(journal), _Post() as post:
            for number, path in enumerate(files):
                picture = _decode(path, settings, key, folder, clock)
                with clock.stage("sending"):
                    received = post.send(picture)
                facts = path.stat()
                with clock.stage("writing"):
                    journal.add(str(number), received)
                    journal.end(str(number), facts.st_size, facts.st_mtime_ns)
            with clock.stage("writing"):
                journal.finish()
    each = {
        stage: clock.seconds[stage] / len(files) * MICROSECONDS
        for stage in STAGES
        if stage in clock.seconds
    }
    return each | {"total": sum(each.values())}


def _decode(
    path: Path, settings: PixelSettings, key: bytes, temporary: Path, clock: _Clock
) -> Picture:
    with clock.stage("reading"):
        content = path.read_bytes()
    with clock.stage("hashing"):
        sha256 = sha256_bytes(content)
    reader = reader_for(content[:HEAD_BYTES])
    if reader is None:
        raise DataError("P01", "The benchmark's own file is no image")
    if path.suffix == ".dcm":
        _time_parts(content, temporary, clock)
        found = next(reader.read(content, settings, temporary))
    else:
        with clock.stage("decoding"):
            found = next(reader.read(content, settings, temporary))
    if isinstance(found, Failure):
        raise DataError(found.code, found.reason)
    return _fit(found, settings, sha256, key, clock)


def _time_parts(content: bytes, temporary: Path, clock: _Clock) -> None:
    """The three steps that a DICOM file's reader takes at once."""
    with clock.stage("header"):
        header, uid = read_header(content)
        check_layout(header, uid)
        bits = int(header.BitsStored)
        align_bits(header, uid)
        grey = grey_of(header, bits)
    with clock.stage("decoding"):
        values, _ = stored_values(header, uid, temporary)
    with clock.stage("window"):
        render(values, grey, None)


def _fit(
    raster: Raster, settings: PixelSettings, sha256: str, key: bytes, clock: _Clock
) -> Picture:
    """Fitting holds two of the hashes, which are timed on their own and taken off."""
    with clock.stage("fitting"):
        picture = fit_picture(raster, settings, sha256, key)
    for sign, stage in ((1, "hashing"), (-1, "fitting")):
        with clock.stage(stage, sign):
            perceptual_hash(raster.pixels)
            pixels_sha256(picture.pixels)
    return picture


class _Post:
    """A pipe as between a child and its parent, with a thread in the place of the child."""

    def __init__(self) -> None:
        self._ours, self._theirs = Pipe()
        self._echo = threading.Thread(target=_send_back, args=(self._theirs,), daemon=True)
        self._echo.start()
        self._waiting: list[Picture] = []

    def __enter__(self) -> _Post:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.send(None)
        self._echo.join()
        self._ours.close()
        self._theirs.close()

    def send(self, picture: Picture) -> Picture:
        """Give a picture away and take it back."""
        self._ours.send(picture)
        found = self._ours.recv()
        assert isinstance(found, Picture)
        return found


def _send_back(connection: Connection) -> None:
    while (picture := connection.recv()) is not None:
        connection.send(picture)
