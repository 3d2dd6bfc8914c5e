"""Reading a label table: any separator and encoding that office programs write."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.errors import DataError

TABLE_LIMIT = 64 * 2**20  # bytes
SEPARATORS = ",;\t|"
TABLE_ENDINGS = (".csv", ".tsv")


@dataclass(frozen=True)
class Table:
    """A label table.

    Attributes:
        columns: Names as the first row gives them.
        rows: Line in the file (from 2) and cells by column; lines without any cell are left out.
        too_long: Lines with more cells than there are columns.
        notes: Sentences for the user.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]
    too_long: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()


def find_table(place: Callable[[str], Path], name: str) -> Path:
    """The table of that name, or the same name with another usual ending; it may not exist.

    Args:
        place: Where a file of the source lies.
        name: The table's name in the source.
    """
    stem = name.removesuffix(PurePosixPath(name).suffix)
    paths = [place(name), *(place(stem + ending) for ending in TABLE_ENDINGS)]
    return next((path for path in paths if path.is_file()), paths[0])


def read_table(path: Path) -> Table:
    """Read a table of values separated by commas, semicolons, tabs or bars.

    Raises:
        DataError: L10 there is none, L11 it cannot be read, L14 it has no rows.
    """
    text, notes = _decoded(_raw(path))
    lines = text.splitlines()
    if not lines:
        raise DataError("L14", "The label table has no rows")
    try:
        reader = csv.reader(io.StringIO(text), delimiter=_separator(lines[0]), strict=True)
        columns = tuple(name.strip() for name in next(reader))
        numbered = [(line, cells) for line, cells in _lines(reader) if any(cells)]
    except csv.Error as error:
        line = reader.line_num
        raise DataError("L11", f"The label table is damaged near row {line}") from error
    if not numbered:
        raise DataError("L14", "The label table has no rows")
    return Table(
        columns,
        tuple((line, dict(zip(columns, cells, strict=False))) for line, cells in numbered),
        frozenset(line for line, cells in numbered if any(cells[len(columns) :])),
        notes,
    )


def _lines(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line each begins on; a quoted cell may run over several lines."""
    before = reader.line_num  # type: ignore[attr-defined]
    for cells in reader:
        yield before + 1, [cell.strip() for cell in cells]
        before = reader.line_num  # type: ignore[attr-defined]


def _raw(path: Path) -> bytes:
    try:
        if path.stat().st_size > TABLE_LIMIT or not path.is_file():
            raise DataError("L11", "The label table is no plain file below 64 MB")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(
            "L10",
            "There is no label table of the given name in the folder",
            todo="Put it beside the images, or label by folders.",
        ) from error
    except OSError as error:
        raise DataError("L11", "The label table cannot be read") from error


def _separator(first_line: str) -> str:
    """What separates the column names, commas inside quotes aside."""
    bare = re.sub(r'"[^"]*"', "", first_line)
    return max(SEPARATORS, key=bare.count)


def _decoded(raw: bytes) -> tuple[str, tuple[str, ...]]:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace"), ()
    try:
        return raw.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        note = "The label table is not UTF-8; it was read as Windows text (cp1252)."
        return raw.decode("cp1252", "replace"), (note,)
