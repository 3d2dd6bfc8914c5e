"""Files that are either whole or absent: temporary name, flush, sync, rename.

Measured (`reference/reliability.md` d.2): 24 of 25 kills during a plain `torch.save` left the last
checkpoint unreadable; with this, none of 25.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.errors import SystemError_

PRIVATE = 0o700  # mode of folders
REPLACE_TRIES = 10  # Windows refuses to replace a file that a reader holds open


@contextlib.contextmanager
def atomic_path(target: Path, *, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it becomes `target`, else it vanishes.

    Args:
        target: The file to create or replace. Its folder is made when missing.
        private: Readable by its owner alone (mode 0600), where the system knows modes.

    Raises:
        SystemError_: The disk is full or the folder cannot be written.
    """
    temporary = target.parent / f".{target.name}.{os.getpid()}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if private:
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        _replace(temporary, target)
        _sync_folder(target.parent)
    except OSError as error:
        raise SystemError_(
            "E01",
            f"A file could not be written ({error.strerror or 'unknown reason'})",
            item=target.name,
            todo="Free some disk space or choose a folder that can be written, then try again.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _replace(source: Path, target: Path) -> None:
    for attempt in range(REPLACE_TRIES):
        try:
            source.replace(target)
            return
        except PermissionError:
            if os.name != "nt" or attempt == REPLACE_TRIES - 1:
                raise
            time.sleep(0.05 * (attempt + 1))


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder; its rename is journalled
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(target: Path, content: bytes, *, private: bool = False) -> None:
    """Write `content` to `target` atomically."""
    with atomic_path(target, private=private) as temporary:
        temporary.write_bytes(content)


def write_text(target: Path, content: str) -> None:
    """Write UTF-8 text with Unix line ends to `target` atomically."""
    write_bytes(target, content.encode("utf-8"))


def write_json(target: Path, content: Any) -> None:
    """Write `content` as indented JSON atomically; a number that is not finite is an error."""
    write_text(
        target, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=str)
    )


def read_json(source: Path) -> Any:
    """Read JSON written by `write_json`."""
    return json.loads(source.read_text(encoding="utf-8"))


def read_facts(source: Path) -> dict[str, Any]:
    """A JSON object that may be missing, torn or something else; then it is empty."""
    try:
        found = read_json(source)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def sha256_bytes(content: bytes) -> str:
    """Hexadecimal SHA-256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(source: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with source.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def sha256_json(content: Any) -> str:
    """SHA-256 of the canonical JSON of `content`: equal content, equal hash."""
    return sha256_bytes(
        json.dumps(content, sort_keys=True, ensure_ascii=False, default=str).encode("utf-8")
    )


def private_folder(folder: Path) -> Path:
    """Make `folder` (and parents) and close it to other users of the machine (mode 0700).

    Raises:
        SystemError_: E08, it cannot be made, or is another user's.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.name != "nt" and stat.S_IMODE(folder.stat().st_mode) != PRIVATE:
            folder.chmod(PRIVATE)
    except OSError as error:
        raise SystemError_(
            "E08",
            f"A folder of the workspace cannot be made or closed to others ({error.strerror})",
            item=folder.name,
            todo="Set BEDSIDE_WORKSPACE to a folder of your own on a disk that can be written.",
        ) from error
    return folder


def require_free(folder: Path, needed: int, what: str) -> None:
    """Refuse to start what the disk cannot hold.

    Args:
        folder: Where it will be written; the nearest existing parent is asked.
        needed: Bytes it will take.
        what: What needs them, for the message.

    Raises:
        SystemError_: Less than `needed` plus a reserve of 256 MB is free.
    """
    existing = next(place for place in [folder, *folder.parents] if place.exists())
    free = shutil.disk_usage(existing).free
    if free < needed + 256e6:
        raise SystemError_(
            "E02",
            f"{what} needs {needed / 1e6:,.0f} MB and only {free / 1e6:,.0f} MB are free",
            todo="Free some disk space, then try again.",
        )


def workspace_folder() -> Path:
    """Where runs and data sets live: ``BEDSIDE_WORKSPACE``, or ``workspace/`` beside the code."""
    named = os.environ.get("BEDSIDE_WORKSPACE")
    folder = (
        Path(named).expanduser().resolve()
        if named
        else Path(__file__).resolve().parent.parent / "workspace"
    )
    return private_folder(folder)
