"""Where the files of an import come from: a folder, one file, or an archive."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from core.data.archive import Archive, refuse_tar
from core.data.discover import Listing, list_folder, sniff_files
from core.errors import DataError


@dataclass
class Source:
    """Files by their relative names.

    Attributes:
        root: The folder that holds them, or will once an archive is opened.
        listing: Their names, sizes and times; what they are, once `opened`.
        archive: The archive they are in, if they are.
    """

    root: Path
    listing: Listing
    archive: Archive | None = None
    _places: dict[str, Path] = field(default_factory=dict)

    def path(self, relative: str) -> Path:
        """Where a file lies."""
        return self._places.get(relative, self.root / relative)

    def is_there(self) -> bool:
        """Whether the folder still exists: a drive may be gone."""
        return self.root.is_dir()

    @contextmanager
    def opened(self, temporary: Path) -> Iterator[None]:
        """Make the files readable and find out what they are.

        Args:
            temporary: A name in a private folder under which an archive is unpacked meanwhile.
        """
        if self.archive is None:
            sniff_files(self.root, self.listing)
            yield
            return
        with self.archive.unpacked(temporary) as places:
            self.root, self._places = temporary, places
            sniff_files(temporary, self.listing, self.path)
            yield

    @contextmanager
    def tables(self) -> Iterator[Callable[[str], Path]]:
        """Make the label tables readable, and nothing else: enough to say what they hold.

        Yields:
            Where a table lies; of an archive, in a copy that is removed afterwards.
        """
        if self.archive is None:
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="bedside-") as folder:
            yield partial(self.archive.unpack_table, folder=Path(folder))


def open_source(path: Path) -> Source:
    """Look at a folder, a file or an archive by names and sizes alone.

    Raises:
        DataError: I01, it is not there; I31 to I36, an archive that is not opened.
    """
    if path.is_file():
        refuse_tar(path)
        archive = Archive.at(path)
        if archive is not None:
            return Source(path.parent, archive.listing(), archive)
        facts = path.stat()
        listing = Listing(facts=[(path.name, facts.st_size, facts.st_mtime_ns)])
        return Source(path.parent, listing)
    return Source(path, list_folder(path))


def require_folder(source: Source, done: int, total: int) -> None:
    """Tell one unreadable file from a drive that is gone.

    Raises:
        DataError: I01, with how far the import came.
    """
    if not source.is_there():
        raise DataError(
            "I01",
            f"The folder of images disappeared; {done} of {total} files had been read",
            todo="Connect the drive again, then import again.",
        )
