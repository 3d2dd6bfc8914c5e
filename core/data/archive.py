"""Zip archives as a source: checked as a whole before anything is written, unpacked privately.

What Python's zipfile lets pass and what is refused here: `reference/reliability.md` c.2. Entries
are written under numbers; their names, which often carry patients' names, stay in memory. Messages
name an entry by its place in the archive.
"""

from __future__ import annotations

import re
import shutil
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.data.discover import Listing
from core.data.readers.base import image_suffixes
from core.data.table_files import TABLE_ENDINGS, TABLE_LIMIT
from core.errors import DataError
from core.files import private_folder, require_free

MOST_ENTRIES = 200_000
LARGEST_SUM = 50 * 2**30  # bytes
LARGEST_RATIO = 200
RATIO_FROM = 16 * 2**20  # bytes: a blank slice packs better than 1 : 200, and is small
LONGEST_PART = 255
CHUNK = 2**20
NESTED = (".zip", ".tar", ".tgz", ".tbz", ".txz", ".gz", ".bz2", ".xz", ".7z", ".rar")
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
TAR_MAGIC = b"ustar"
# of an entry that is damaged, or packed in a way that Python does not know
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


def refuse_tar(path: Path) -> None:
    """Refuse tar archives, which can hold links and devices.

    Raises:
        DataError: I31.
    """
    with path.open("rb") as opened:
        head = opened.read(512)
    named = path.name.casefold().endswith((".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz"))
    if named or head[257:262] == TAR_MAGIC:
        raise DataError(
            "I31",
            "A tar archive cannot be opened safely",
            todo="Unpack it and choose the folder, or pack it as zip.",
        )


@dataclass(frozen=True)
class Archive:
    """A zip archive that passed every check.

    Attributes:
        path: The archive.
        entries: Files that may be images or tables: place in the archive and their name in it,
            without the folder that a zipped folder puts around everything.
        ignored: Number of other files.
        facts: Name, size and checksum of every entry.
    """

    path: Path
    entries: tuple[tuple[int, str], ...]
    ignored: int
    facts: tuple[tuple[str, int, int], ...]

    @classmethod
    def at(cls, path: Path) -> Archive | None:
        """The archive at `path`, or None if it is none (or MedMNIST's kind, which a reader opens).

        Raises:
            DataError: I32 damaged, I33 too large, I34 an unsafe entry, I35 encrypted, I36 nested.
        """
        if path.suffix.casefold() == ".npz" or not zipfile.is_zipfile(path):
            return None
        try:
            with zipfile.ZipFile(path) as opened:
                infos = opened.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise _damaged() from error
        _check_sizes(infos)
        for place, info in enumerate(infos, start=1):
            _check_entry(place, info)
        _check_together(infos)
        _check_overlap(infos)
        files = [(place, info) for place, info in enumerate(infos) if not info.is_dir()]
        kept = [(place, info.filename) for place, info in files if _wanted(info.filename)]
        outer = _outer_folder([name for _, name in kept])
        return cls(
            path,
            tuple((place, name.removeprefix(outer)) for place, name in kept),
            len(files) - len(kept),
            tuple(
                (info.filename.removeprefix(outer), info.file_size, info.CRC) for _, info in files
            ),
        )

    def listing(self) -> Listing:
        """Its files, by name, size and checksum."""
        wanted = {name for _, name in self.entries}
        return Listing(
            ignored=self.ignored, facts=sorted(fact for fact in self.facts if fact[0] in wanted)
        )

    @contextmanager
    def unpacked(self, target: Path) -> Iterator[dict[str, Path]]:
        """Write the entries under numbers into a new private folder, removed afterwards.

        Yields:
            Entry's name to file.

        Raises:
            DataError: I32, an entry is damaged or longer than it says.
        """
        sizes = {name: size for name, size, _ in self.facts}
        needed = sum(sizes[name] for _, name in self.entries)
        try:
            require_free(target.parent, needed + needed // 10, "Unpacking the archive")
            private_folder(target)
            yield self._written(target, sizes)
        finally:
            shutil.rmtree(target, ignore_errors=True)

    def unpack_table(self, name: str, folder: Path) -> Path:
        """Write one entry into a private folder, cut off just beyond what a table may have.

        Args:
            name: The entry's name in the archive.
            folder: Where it is written, under its number.

        Returns:
            Its path; where there is no such entry, a path without a file.

        Raises:
            DataError: I32, the entry is damaged.
        """
        place = next((place for place, entry in self.entries if entry == name), None)
        if place is None:
            return folder / "absent"
        path = folder / f"{place:06d}{_ending(name)}"
        try:
            with (
                zipfile.ZipFile(self.path) as opened,
                opened.open(opened.infolist()[place]) as entry,
            ):
                path.write_bytes(entry.read(TABLE_LIMIT + 1))
        except (*UNREADABLE, IndexError, OSError) as error:  # it may have changed since
            raise _damaged(place + 1) from error
        return path

    def _written(self, target: Path, sizes: dict[str, int]) -> dict[str, Path]:
        places: dict[str, Path] = {}
        with zipfile.ZipFile(self.path) as opened:
            infos = opened.infolist()
            for place, name in self.entries:
                path = target / f"{place:06d}{_ending(name)}"
                try:
                    _write(opened, infos[place], path, sizes[name])
                except UNREADABLE as error:
                    raise _damaged(place + 1) from error
                places[name] = path
        return places


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, size: int) -> None:
    """Copy one entry, counting: what the directory says of its length is a claim."""
    written = 0
    with opened.open(info) as source, path.open("xb") as target:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > size:
                raise zipfile.BadZipFile("longer than announced")
            target.write(chunk)


def _outer_folder(names: Sequence[str]) -> str:
    """The folder around everything, with its slash, where what it holds is itself in order.

    A system that zips a folder puts that folder around the classes or the table. A folder that
    holds images alone is a class, and stays.
    """
    outer = ""
    while names:
        first = names[0][len(outer) :].partition("/")[0] + "/"
        inside = [name[len(outer) + len(first) :] for name in names]
        alone = all(name.startswith(outer + first) for name in names)
        if not alone or not any("/" in name or _is_table(name) for name in inside):
            break
        outer += first
    return outer


def _is_table(name: str) -> bool:
    return name.casefold().endswith(TABLE_ENDINGS)


def _wanted(name: str) -> bool:
    """Whether an entry may be an image or a table; archives of scanners have no endings."""
    path = PurePosixPath(name)
    unusual = re.fullmatch(r"\.[A-Za-z]\w*", path.suffix) and not _ending(name)
    return not path.name.startswith(".") and not unusual


def _ending(name: str) -> str:
    """The ending of an image or a table, else ``""``."""
    endings = sorted((*image_suffixes(), *TABLE_ENDINGS), key=len, reverse=True)
    return next((ending for ending in endings if name.casefold().endswith(ending)), "")


def _check_sizes(infos: Sequence[zipfile.ZipInfo]) -> None:
    total = sum(info.file_size for info in infos)
    if len(infos) > MOST_ENTRIES:
        raise DataError("I33", f"The archive has more than {MOST_ENTRIES} entries")
    if total > LARGEST_SUM:
        raise DataError("I33", f"The archive expands to more than {LARGEST_SUM // 2**30} GB")


def _check_entry(place: int, info: zipfile.ZipInfo) -> None:
    """One entry by itself."""
    name = info.orig_filename  # as stored: `filename` ends at a NUL and has slashes turned
    parts = name.removesuffix("/").split("/")
    if info.flag_bits & 1:
        raise DataError("I35", "The archive is encrypted", todo="Unpack it and choose the folder.")
    if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise _unsafe(place, "is a link or a device")
    if name.startswith("/") or "\\" in name or re.match(r"[A-Za-z]:", name):
        raise _unsafe(place, "has a path of its own")
    if any(part in {"", ".", ".."} for part in parts):
        raise _unsafe(place, "points outside the archive")
    if any(unicodedata.category(sign) == "Cc" for sign in name):
        raise _unsafe(place, "has a control character in its name")
    if any(len(part.encode()) > LONGEST_PART for part in parts):
        raise _unsafe(place, "has a name that is too long")
    if any(RESERVED.fullmatch(part) or part.endswith((" ", ".")) for part in parts):
        raise _unsafe(place, "has a name that some systems reserve")
    if name.casefold().endswith(NESTED) and not name.casefold().endswith(".nii.gz"):
        raise DataError("I36", f"Entry {place} of the archive is an archive", todo="Unpack it.")
    if info.file_size > max(RATIO_FROM, LARGEST_RATIO * info.compress_size):
        raise DataError(
            "I33", f"Entry {place} of the archive expands more than 1 : {LARGEST_RATIO}"
        )


def _check_together(infos: Sequence[zipfile.ZipInfo]) -> None:
    """No two entries of one name on any system, no file where another entry needs a folder."""
    seen: dict[str, int] = {}
    folders: dict[str, int] = {}
    for place, info in enumerate(infos, start=1):
        name = unicodedata.normalize("NFC", info.filename.removesuffix("/")).casefold()
        for parent in PurePosixPath(name).parents:
            folders.setdefault(str(parent), place)
        if info.is_dir():
            folders.setdefault(name, place)
        elif seen.setdefault(name, place) != place:
            raise _unsafe(place, f"has the name of entry {seen[name]}")
    for name in seen.keys() & folders.keys():
        raise _unsafe(seen[name], f"has the name of a folder in entry {folders[name]}")


def _check_overlap(infos: Sequence[zipfile.ZipInfo]) -> None:
    """No entry's data begin inside another's: a few kilobytes could be read as gigabytes."""
    ends = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < ends:
            raise _unsafe(infos.index(info) + 1, "overlaps another")
        encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
        name = len(info.orig_filename.encode(encoding, "replace"))
        ends = info.header_offset + 30 + name + info.compress_size


def _unsafe(place: int, why: str) -> DataError:
    return DataError(
        "I34",
        f"The archive is not opened: its entry {place} {why}",
        todo="Unpack it yourself and choose the folder.",
    )


def _damaged(place: int = 0) -> DataError:
    which = f" at entry {place}" if place else ""
    return DataError("I32", f"The archive is damaged{which}", todo="Make it again.")
