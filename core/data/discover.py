"""Looking through a folder without opening anything that could hang, escape or mislead."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from core.data.readers.base import HEAD_BYTES, image_suffixes, reader_for
from core.errors import DataError
from core.files import sha256_json

SKIPPED_NAMES = frozenset({"thumbs.db", "desktop.ini", "sha256sums", "dicomdir"})


@dataclass(frozen=True)
class Found:
    """One file that is, or claims to be, an image.

    Attributes:
        relative: Path below the root, posix style.
        code: Empty if it may be decoded.
        reason: Why not.
        labelled: Whether files of its format may carry labels of their own.
    """

    relative: str
    code: str = ""
    reason: str = ""
    labelled: bool = False


@dataclass
class Listing:
    """What a folder holds.

    Attributes:
        found: Images and what claims to be one, sorted by path.
        ignored: Number of other files.
        facts: (path, size, modification time) of every plain file: equal facts, unchanged folder.
    """

    found: list[Found] = field(default_factory=list)
    ignored: int = 0
    facts: list[tuple[str, int, int]] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """Hash of the listing."""
        return sha256_json(self.facts)


def list_folder(root: Path) -> Listing:
    """List a folder by names, sizes and times alone.

    Args:
        root: An existing folder. Links to folders are not followed.

    Raises:
        DataError: I01, the folder is not there or cannot be listed.
    """
    listing = Listing()
    for path in _walk(root):
        try:
            facts = path.lstat()
        except OSError:
            facts = None
        if facts is not None and stat.S_ISLNK(facts.st_mode):
            facts = _linked(path, root)
        size, changed = (facts.st_size, facts.st_mtime_ns) if facts else (-1, -1)
        listing.facts.append((path.relative_to(root).as_posix(), size, changed))
    listing.facts.sort()
    return listing


def sniff_files(root: Path, listing: Listing, place: Callable[[str], Path] | None = None) -> None:
    """Fill `found` and `ignored` from the first bytes of every file listed.

    Args:
        root: The folder that was listed; links may not leave it.
        listing: What `list_folder` found.
        place: Where a listed file lies, if not under its own name below `root`.
    """
    suffixes = tuple(image_suffixes())
    for relative, _, _ in listing.facts:
        named = PurePosixPath(relative)
        if named.name.startswith(".") or named.name.casefold() in SKIPPED_NAMES:
            listing.ignored += 1
            continue
        path = place(relative) if place else root / relative
        found = _sniff(path, root, relative, claims=named.name.casefold().endswith(suffixes))
        if found is None:
            listing.ignored += 1
        else:
            listing.found.append(found)


def _walk(root: Path) -> Iterator[Path]:
    """Every file, link and closed folder below `root`."""
    closed: list[Path] = []

    def note(error: OSError) -> None:
        if Path(error.filename) == root:
            raise _missing() from error
        closed.append(Path(error.filename))

    if not root.is_dir():
        raise _missing()
    for folder, folders, files in os.walk(root, onerror=note, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*files, *links]):
            yield Path(folder) / name
    yield from closed


def _missing() -> DataError:
    return DataError(
        "I01", "The folder of images is not there or cannot be listed", todo="Check its path."
    )


def _linked(path: Path, root: Path) -> os.stat_result | None:
    """Facts of a link's target if it is a file below the root, else None."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return target.stat() if target.is_file() and target.is_relative_to(root.resolve()) else None


def _sniff(path: Path, root: Path, relative: str, *, claims: bool) -> Found | None:
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            if _linked(path, root) is None:
                return Found(
                    relative, "I04", "A link to a folder, out of the folder, or to nothing."
                )
        elif stat.S_ISDIR(mode):
            return Found(relative, "I02", "The folder cannot be listed.")
        elif not stat.S_ISREG(mode):
            return Found(relative, "I05", "Not a plain file.")
        with path.open("rb") as opened:
            head = opened.read(HEAD_BYTES)
    except OSError as error:
        cause = (error.strerror or "unknown cause").lower()
        return Found(relative, "I02", f"The file cannot be read ({cause}).")
    reader = reader_for(head)
    if reader is not None:
        return Found(relative, labelled=reader.labelled)
    if not claims:
        return None
    if not head:
        return Found(relative, "P02", "The file is empty.")
    return Found(relative, "P01", "The file's name promises an image; its content is none.")
