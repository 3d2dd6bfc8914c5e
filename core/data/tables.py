"""Labels and patients: from class folders, or from a table beside the images.

Nothing is guessed and nothing is passed over: every file found and every row of the table ends as a
label or as a code with a sentence that names the row.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from core.config import DataSettings
from core.errors import DataError
from core.types import Task

SPLIT_FOLDERS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
MOST_CLASSES = 100
LONGEST_LABEL = 200
TABLE_LIMIT = 64 * 2**20  # bytes


@dataclass(frozen=True)
class Label:
    """What is known about one file before it is opened.

    Attributes:
        labels: The class, or all findings (possibly none).
        patient: The table's patient, as it stands.
        code: Empty if the file can be used.
        reason: Why not.
    """

    labels: tuple[str, ...] = ()
    patient: str = ""
    code: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Labelling:
    """Labels of all files.

    Attributes:
        files: Relative path to label, for every file found.
        absent: The table's name to reason, for rows whose file is not there.
        classes: Names of the classes.
        task: One class per image, or findings.
        notes: Sentences for the user.
    """

    files: Mapping[str, Label]
    classes: tuple[str, ...]
    task: Task
    absent: Mapping[str, Label] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def label_files(root: Path, files: Sequence[str], settings: DataSettings) -> Labelling:
    """Find the label of every file.

    Args:
        root: The source folder.
        files: Relative posix paths of the images found.
        settings: Where labels are.

    Raises:
        DataError: L10 to L14, the table or the folders cannot be used at all.
    """
    if settings.labels == "none":
        return Labelling({file: Label() for file in files}, (), Task.MULTILABEL)
    table = root / settings.table
    if settings.labels == "csv" or (settings.labels == "auto" and table.is_file()):
        labelling = label_by_table(read_table(table), files, settings)
    else:
        labelling = label_by_folders(files)
    if len(labelling.classes) > MOST_CLASSES:
        raise DataError(
            "L13",
            f"There are {len(labelling.classes)} different classes, more than {MOST_CLASSES}",
            todo="Check that the right column or folder holds the class.",
        )
    return labelling


def label_by_folders(files: Sequence[str]) -> Labelling:
    """The class is the first folder, or the second where the first are ``train``, ``test``, ..."""
    notes: tuple[str, ...] = ()
    depth = 0
    tops = {PurePosixPath(file).parts[0] for file in files if "/" in file}
    if tops and all(top.casefold() in SPLIT_FOLDERS for top in tops):
        depth = 1
        notes = (f"The folders {', '.join(sorted(tops))} are no classes; patients are split anew.",)
    labels: dict[str, Label] = {}
    for file in files:
        parts = PurePosixPath(file).parts
        if len(parts) > depth + 1:
            labels[file] = Label((clean_label(parts[depth]),))
        else:
            labels[file] = Label(code="L01", reason="The file lies in no class folder.")
    classes = sorted({label.labels[0] for label in labels.values() if label.labels}, key=natural)
    return Labelling(labels, tuple(classes), Task.MULTICLASS, notes=notes)


@dataclass(frozen=True)
class Table:
    """A label table: its columns and its rows with their line numbers in the file, from 2."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]
    notes: tuple[str, ...] = ()


def read_table(path: Path) -> Table:
    """Read a table of values separated by commas, semicolons or tabs.

    Raises:
        DataError: L10 there is none, L11 it cannot be read, L14 it has no rows.
    """
    try:
        if path.stat().st_size > TABLE_LIMIT or not path.is_file():
            raise DataError("L11", "The label table is no plain file below 64 MB")
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(
            "L10",
            "There is no label table in the folder",
            item=path.name,
            todo="Put it beside the images, or label by folders.",
        ) from error
    except OSError as error:
        raise DataError("L11", "The label table cannot be read", item=path.name) from error
    text, notes = _decoded(raw)
    lines = text.splitlines()
    if not lines:
        raise DataError("L14", "The label table has no rows", item=path.name)
    separator = max(",;\t", key=lines[0].count)
    try:
        reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
        columns = tuple(name.strip() for name in next(reader))
        rows = tuple(
            (reader.line_num, dict(zip(columns, (cell.strip() for cell in cells), strict=False)))
            for cells in reader
            if any(cell.strip() for cell in cells)
        )
    except csv.Error as error:
        raise DataError(
            "L11", f"The label table is damaged near row {reader.line_num}", item=path.name
        ) from error
    if not rows:
        raise DataError("L14", "The label table has no rows", item=path.name)
    return Table(columns, rows, notes)


def _decoded(raw: bytes) -> tuple[str, tuple[str, ...]]:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace"), ()
    try:
        return raw.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        note = "The label table is not UTF-8; it was read as Windows text (cp1252)."
        return raw.decode("cp1252", "replace"), (note,)


def label_by_table(table: Table, files: Sequence[str], settings: DataSettings) -> Labelling:
    """Join the table's rows to the files found.

    One label column holds the class; several hold 0 or 1 each.

    Raises:
        DataError: L12, a column is missing.
    """
    wanted = (settings.file_column, *settings.label_columns)
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise DataError(
            "L12",
            f"The label table has no column {', '.join(map(repr, missing))}",
            todo=f"Its columns are {', '.join(map(repr, table.columns))}.",
        )
    find = _Finder(files)
    labels: dict[str, Label] = {}
    absent: dict[str, Label] = {}
    lines: dict[str, int] = {}
    for line, row in table.rows:
        name = row.get(settings.file_column, "")
        label = _row_label(line, row, settings)
        file = find(name)
        if file is None:
            reason = f"Row {line} of the table names a file that is not there."
            absent[name or f"row {line}"] = Label(code="L04", reason=reason)
        elif file in labels:
            labels[file] = _joined(labels[file], label, lines[file], line)
        else:
            labels[file], lines[file] = label, line
    unnamed = Label(code="L05", reason="The table has no row for the file.")
    complete = {file: labels.get(file, unnamed) for file in files}
    multilabel = len(settings.label_columns) > 1
    return Labelling(
        files=complete,
        classes=_classes(complete.values(), settings),
        task=Task.MULTILABEL if multilabel else Task.MULTICLASS,
        absent=absent,
        notes=table.notes,
    )


def _classes(labels: Iterable[Label], settings: DataSettings) -> tuple[str, ...]:
    if len(settings.label_columns) > 1:
        return settings.label_columns
    named = {name for label in labels for name in label.labels}
    return tuple(sorted(named, key=natural))


def _row_label(line: int, row: Mapping[str, str], settings: DataSettings) -> Label:
    patient = row.get(settings.patient_column, "")
    if len(settings.label_columns) == 1:
        name = clean_label(row.get(settings.label_columns[0], ""))
        if not name:
            return Label(
                patient=patient, code="L02", reason=f"Row {line} of the table has no label."
            )
        return Label((name,), patient)
    found: list[str] = []
    for column in settings.label_columns:
        value = row.get(column, "")
        if value == "":
            reason = f"Row {line} of the table has no value in column {column!r}."
            return Label(patient=patient, code="L02", reason=reason)
        if value not in {"0", "1", "0.0", "1.0"}:
            reason = f"Row {line} of the table holds neither 0 nor 1 in column {column!r}."
            return Label(patient=patient, code="L06", reason=reason)
        if value.startswith("1"):
            found.append(column)
    return Label(tuple(found), patient)


def _joined(first: Label, second: Label, line: int, other: int) -> Label:
    """Two rows for one file: fine if they agree."""
    if first == second:
        return first
    reason = f"Rows {line} and {other} of the table contradict each other."
    return Label(patient=first.patient, code="L03", reason=reason)


class _Finder:
    """Finds the file a table's cell means: its path, or its bare name where that is unique."""

    def __init__(self, files: Sequence[str]) -> None:
        self._paths = {unicodedata.normalize("NFC", file): file for file in files}
        self._names: dict[str, str | None] = {}
        for path, file in self._paths.items():
            name = PurePosixPath(path).name
            self._names[name] = None if name in self._names else file

    def __call__(self, cell: str) -> str | None:
        wanted = unicodedata.normalize("NFC", cell.replace("\\", "/")).removeprefix("./")
        return self._paths.get(wanted) or self._names.get(wanted)


def clean_label(text: str) -> str:
    """A class name without control characters and direction marks, at most 200 characters."""
    kept = "".join(
        character
        for character in unicodedata.normalize("NFC", text)
        if unicodedata.category(character)[0] != "C"
    )
    return kept.strip()[:LONGEST_LABEL]


def natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Sort key that puts ``"grade 2"`` before ``"grade 10"``."""
    return tuple(
        (not part.isdecimal(), int(part) if part.isdecimal() else 0, part.casefold())
        for part in re.split(r"(\d+)", name)
    )
