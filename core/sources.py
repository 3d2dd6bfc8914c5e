"""A folder or file of images as a person names it: with quotes, as a file address, with ``~``."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.errors import DataError

OPENED = (".zip", ".npz", ".nii", ".nii.gz", ".mha", ".nrrd", ".dcm")  # hold many images
QUOTES = "\"'“”„‘’«»`"
ELSEWHERE = "Check the path. On a USB or network drive, check that it is connected."


def source_folder(text: str, workspace: Path) -> Path:
    """The folder that a text names, or the archive or file of images.

    Args:
        text: As it was typed or pasted.
        workspace: The workspace; Bedside's own files are no source of images, dropped ones are.

    Raises:
        DataError: I10 to I16, it names no folder that can be read: what is wrong, and what to do.
    """
    path = _path(text)
    try:
        facts = path.stat()
    except OSError:
        raise _missing(path) from None
    is_file = stat.S_ISREG(facts.st_mode)
    if is_file and not path.name.casefold().endswith(OPENED):
        raise DataError(
            "I13",
            "This is a file, not a folder",
            item=path.name,
            todo=f"Give the folder that it lies in: {path.parent}",
        )
    path = Path(os.path.normpath(path))  # not resolved: a drive keeps the letter people know
    real, own = path.resolve(), workspace.resolve()
    dropped = own / "incoming"
    if own.is_relative_to(real) or (real.is_relative_to(own) and dropped not in real.parents):
        raise DataError(
            "I16",
            "This folder holds Bedside's own files",
            item=str(path),
            todo="Choose the folder that holds your images.",
        )
    if not is_file:
        _require_content(path)
    return path


def _path(text: str) -> Path:
    """The path in a text, absolute."""
    plain = text.strip().strip(QUOTES).strip()
    if not plain:
        raise DataError(
            "I10",
            "No folder is named",
            todo="Paste the path of the folder that holds your images, or drop it below.",
        )
    if plain.casefold().startswith("file:"):
        address = urlsplit(plain)
        host = "" if address.netloc.casefold() == "localhost" else address.netloc
        plain = unquote(address.path)
        if os.name == "nt":
            plain = plain.removeprefix("/")  # file:///D:/images
        plain = f"//{host}{plain}" if host else plain
    if plain.startswith(("\\\\", "//")):  # opening one can send Windows credentials to its server
        raise DataError(
            "I11",
            "Paths that begin with the name of a server are not opened",
            item=plain,
            todo="Connect the share as a drive first, then give the path with the drive's letter.",
        )
    try:
        path = Path(plain).expanduser()
    except RuntimeError:
        path = Path(plain)
    if "\0" in plain or not path.is_absolute():
        raise DataError(
            "I12",
            "This is not a whole path",
            item=plain,
            todo="Copy it from the address bar of your file manager; it begins with "
            + (r"a drive, as in D:\studies\images." if os.name == "nt" else "a slash (/)."),
        )
    return path


def _missing(path: Path) -> DataError:
    """Says which part of a path is the first that is not there."""
    absent = path
    for parent in path.parents:
        try:
            parent.stat()
            break
        except PermissionError:
            return DataError(
                "I15", "This folder may not be opened", item=str(parent), todo=ELSEWHERE
            )
        except OSError:
            absent = parent
    if absent == path:
        return DataError("I14", "There is no such folder", item=str(path), todo=ELSEWHERE)
    what = "There is no such folder: the path ends before it"
    return DataError("I14", what, item=str(absent), todo=ELSEWHERE)


def _require_content(path: Path) -> None:
    try:
        with os.scandir(path) as entries:
            empty = next(entries, None) is None
    except OSError:
        raise DataError(
            "I15",
            "This folder may not be opened",
            item=str(path),
            todo="Ask for the right to read it, or copy the images to a folder of your own.",
        ) from None
    if empty:
        raise DataError(
            "I17",
            "This folder is empty",
            item=str(path),
            todo="Choose the folder that holds your images.",
        )
