"""Labels, patients and proposed parts: from class folders, or from a table beside the images.

Nothing is guessed and nothing is passed over: every file found and every row of the table ends as a
label or as a code with a sentence that names the row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from core.config import DataSettings
from core.data.proposed import PARTS, are_parts, find_split_column, folder_parts, part_of
from core.data.table_files import Table, find_table, read_table
from core.errors import DataError
from core.types import Task

MOST_CLASSES = 100
LONGEST_LABEL = 200
NAMED_ROWS = 5  # rows that a note names before it only counts


@dataclass(frozen=True)
class Label:
    """What is known about one file before it is opened.

    Attributes:
        labels: The class, or all findings (possibly none).
        patient: The table's patient, as it stands.
        split: The part a table or a folder proposes: ``"train"``, ``"validation"``, ``"test"``, "".
        code: Empty if the file can be used.
        reason: Why not.
    """

    labels: tuple[str, ...] = ()
    patient: str = ""
    split: str = ""
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


def label_files(
    root: Path,
    files: Sequence[str],
    settings: DataSettings,
    place: Callable[[str], Path] | None = None,
) -> Labelling:
    """Find the label of every file.

    Args:
        root: The source folder; the label table is looked for in it.
        files: Relative posix paths of the images found.
        settings: Where labels are.
        place: Where a file of the source lies, if not under its own name below `root`.

    Raises:
        DataError: L10 to L15, the table or the folders cannot be used at all.
    """
    if settings.labels in {"none", "file", "tag"}:  # known, if at all, when the files are read
        task = Task.MULTILABEL if settings.labels == "none" else Task.MULTICLASS
        return Labelling({file: Label() for file in files}, (), task)
    table = find_table(place or root.joinpath, settings.table)
    if settings.labels == "csv" or (settings.labels == "auto" and table.is_file()):
        labelling = label_by_table(read_table(table), files, settings)
    else:
        labelling = label_by_folders(files)
    check_classes(labelling.classes)
    return labelling


def check_classes(classes: Collection[str]) -> None:
    """Refuse what cannot be classes.

    Raises:
        DataError: L13, there are too many.
    """
    if len(classes) > MOST_CLASSES:
        raise DataError(
            "L13",
            f"There are {len(classes)} different classes, more than {MOST_CLASSES}",
            todo="Check that the right column, folder or field holds the class.",
        )


def label_by_folders(files: Sequence[str]) -> Labelling:
    """The class is the first folder, or the second where the first are ``train``, ``test``, ..."""
    notes: tuple[str, ...] = ()
    depth = 0
    tops = {PurePosixPath(file).parts[0] for file in files if "/" in file}
    if are_parts(tops):
        depth = 1
        told = ", ".join(sorted(tops))
        notes = (f"The folders {told} are no classes; they are taken as a proposed division.",)
    proposed = folder_parts(files)
    labels: dict[str, Label] = {}
    for file in files:
        parts = PurePosixPath(file).parts
        split = proposed.get(file, "")
        if len(parts) > depth + 1:
            labels[file] = Label((clean_label(parts[depth]),), split=split)
        else:
            reason = "The file lies in no class folder."
            labels[file] = Label(split=split, code="L01", reason=reason)
    classes = sorted({label.labels[0] for label in labels.values() if label.labels}, key=natural)
    return Labelling(labels, tuple(classes), Task.MULTICLASS, notes=notes)


def label_by_table(table: Table, files: Sequence[str], settings: DataSettings) -> Labelling:
    """Join the table's rows to the files found.

    One label column holds the class; several hold 0 or 1 each.

    Raises:
        DataError: L12, a column is missing; L15, one is there twice.
    """
    _check_columns(table, settings)
    column = find_split_column(table.columns, (row for _, row in table.rows), settings.split_column)
    proposed = {} if column else folder_parts(files)
    find = FileFinder(files)
    labels: dict[str, Label] = {}
    absent: dict[str, Label] = {}
    lines: dict[str, int] = {}
    repeated: list[int] = []
    for line, row in table.rows:
        name = row.get(settings.file_column, "")
        label = _row_label(line, row, settings, too_long=line in table.too_long)
        file = find(name)
        part = part_of(row.get(column, "")) if column else proposed.get(file or "", "")
        label = replace(label, split=part)
        if file is None:
            reason = f"Row {line} of the table names a file that is not there."
            absent[f"{name} (row {line})"] = Label(code="L04", reason=reason)
        elif file in labels:
            repeated += [line] * (labels[file] == label)
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
        notes=(*table.notes, *_remarks(table, settings, repeated)),
    )


def _check_columns(table: Table, settings: DataSettings) -> None:
    """Every column chosen is there once; a default for patient or split may be absent."""
    wanted = [settings.file_column, *settings.label_columns]
    for field_name in ("patient_column", "split_column"):
        name = getattr(settings, field_name)
        if name != DataSettings.model_fields[field_name].default or name in table.columns:
            wanted.append(name)
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise DataError(
            "L12",
            f"The label table has no column {', '.join(map(repr, missing))}",
            todo=f"Its columns are {', '.join(map(repr, table.columns))}.",
        )
    twice = sorted({name for name in wanted if table.columns.count(name) > 1})
    if twice:
        raise DataError(
            "L15",
            f"The label table has the column {', '.join(map(repr, twice))} more than once",
            todo="Rename or remove one of them.",
        )


def _remarks(table: Table, settings: DataSettings, repeated: list[int]) -> list[str]:
    found = []
    if repeated:
        found.append(
            f"Repeats of an earlier row for the same file: {_rows(repeated)} of the table."
        )
    column = settings.split_column
    strange = [
        line for line, row in table.rows if row.get(column, "").casefold() not in {*PARTS, ""}
    ]
    if strange:
        found.append(
            f"Column {column!r} names another part than training, validation and test in "
            f"{_rows(strange)} of the table; nothing is proposed there."
        )
    return found


def _rows(lines: list[int]) -> str:
    named = ", ".join(map(str, lines[:NAMED_ROWS]))
    more = f" and {len(lines) - NAMED_ROWS} more" if len(lines) > NAMED_ROWS else ""
    return f"row {named}" if len(lines) == 1 else f"rows {named}{more}"


def _classes(labels: Iterable[Label], settings: DataSettings) -> tuple[str, ...]:
    if len(settings.label_columns) > 1:
        return settings.label_columns
    named = {name for label in labels for name in label.labels}
    return tuple(sorted(named, key=natural))


def _row_label(
    line: int, row: Mapping[str, str], settings: DataSettings, *, too_long: bool
) -> Label:
    """The label of one row, or why it has none."""
    base = Label(patient=row.get(settings.patient_column, ""))
    if too_long:
        reason = f"Row {line} of the table has more cells than there are columns."
        return replace(base, code="L08", reason=reason)
    if len(settings.label_columns) == 1:
        name = clean_label(row.get(settings.label_columns[0], ""))
        if not name:
            return replace(base, code="L02", reason=f"Row {line} of the table has no label.")
        return replace(base, labels=(name,))
    found: list[str] = []
    for column in settings.label_columns:
        value = row.get(column, "")
        if value == "":
            reason = f"Row {line} of the table has no value in column {column!r}."
            return replace(base, code="L02", reason=reason)
        if value not in {"0", "1", "0.0", "1.0"}:
            reason = f"Row {line} of the table holds neither 0 nor 1 in column {column!r}."
            return replace(base, code="L06", reason=reason)
        if value.startswith("1"):
            found.append(column)
    return replace(base, labels=tuple(found))


def _joined(first: Label, second: Label, line: int, other: int) -> Label:
    """Two rows for one file: fine if they agree."""
    if first == second:
        return first
    reason = f"Rows {line} and {other} of the table contradict each other."
    return Label(patient=first.patient, code="L03", reason=reason)


class FileFinder:
    """Finds the file a table's cell means: its path, or its bare name where that is unique."""

    def __init__(self, files: Sequence[str]) -> None:
        self._paths = {unicodedata.normalize("NFC", file): file for file in files}
        self._names: dict[str, str | None] = {}
        for path, file in self._paths.items():
            name = PurePosixPath(path).name
            self._names[name] = None if name in self._names else file

    def __call__(self, cell: str) -> str | None:
        """The file's relative path, or None."""
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
