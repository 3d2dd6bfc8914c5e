"""What reading a source with certain settings would give, from the files' names and the table."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from app.text import data as text
from core.config import DataSettings
from core.data.columns import Proposal, propose_columns
from core.data.discover import SKIPPED_NAMES
from core.data.pattern import preview_pattern, suggest_patterns
from core.data.readers.base import image_suffixes
from core.data.sources import Source, open_source
from core.data.table_files import TABLE_ENDINGS, find_table, read_table
from core.data.tables import Labelling, label_files
from core.errors import BedsideError, ConfigError, DataError

FRESH_S = 30.0  # a folder or an archive is listed again after this time
MOST_CLASSES_NAMED = 8
MOST_TABLES = 4


class Names:
    """The names in a folder or an archive, kept for a short time."""

    def __init__(self) -> None:
        self._kept: tuple[Path, float, Source] | None = None
        self._lock = threading.Lock()

    def of(self, root: Path) -> Source:
        """What lies at `root`, by names and sizes alone.

        Raises:
            DataError: I01, it is not there; I31 to I36, an archive that is not opened.
        """
        with self._lock:
            if (
                self._kept is None
                or self._kept[0] != root
                or time.monotonic() - self._kept[1] > FRESH_S
            ):
                self._kept = (root, time.monotonic(), open_source(root))
            return self._kept[2]


def describe(settings: DataSettings, root: Path, names: Names) -> list[str]:
    """Sentences on what these settings would give.

    Raises:
        BedsideError: The source, the table or the pattern cannot be used.
    """
    source = names.of(root)
    images = _images(source)
    if not images:
        return [text.PREVIEW_NO_FILES]
    with source.tables() as place:
        try:
            labelling = label_files(source.root, images, settings, place)
        except DataError as error:
            if error.code != "L12":  # a column is missing
                raise
            told = describe_columns(propose(settings, root, names))
            proposed = [text.PREVIEW_PROPOSED.format(columns=told)] if told else []
            return [f"{error.what}. {error.todo}", *proposed]
        said = [text.PREVIEW_FILES.format(files=len(images)), *_classes(labelling, settings, place)]
        said += [*_patients(labelling, settings, images), *labelling.notes]
        columns = [_columns(place(table), table) for table in _tables(source)[:MOST_TABLES]]
    return said + ([text.PREVIEW_TABLES.format(tables="; ".join(columns))] if columns else [])


def propose(settings: DataSettings, root: Path, names: Names) -> Proposal:
    """Which columns of the table in a folder or an archive hold what, as it seems.

    Raises:
        DataError: The source or its table cannot be read.
    """
    source = names.of(root)
    with source.tables() as place:
        return propose_columns(read_table(find_table(place, settings.table)), _images(source))


def describe_columns(found: Proposal) -> str:
    """A proposal in words; empty if nothing was recognised."""
    named = {
        "file": found.file,
        "label": ", ".join(found.labels),
        "patient": found.patient,
        "split": found.split,
    }
    return "; ".join(f"{kind}: {column}" for kind, column in named.items() if column)


def as_settings(found: Proposal) -> dict[str, Any]:
    """The fields of `DataSettings` that a proposal fills, without those it knows nothing of."""
    named = {
        "file_column": found.file,
        "label_columns": found.labels,
        "patient_column": found.patient,
        "split_column": found.split,
    }
    return {field: value for field, value in named.items() if value}


def _images(source: Source) -> list[str]:
    """Files that look like images; those without an ending do too: DICOM files often have none."""
    endings = image_suffixes() | {""}
    return [
        name
        for name, _, _ in source.listing.facts
        if PurePosixPath(name).suffix.casefold() in endings
        and not PurePosixPath(name).name.startswith(".")
        and PurePosixPath(name).name.casefold() not in SKIPPED_NAMES
    ]


def _tables(source: Source) -> list[str]:
    """Tables that lie in no folder of the source."""
    return [
        name
        for name, _, _ in source.listing.facts
        if "/" not in name and name.casefold().endswith(TABLE_ENDINGS)
    ]


def _classes(
    labelling: Labelling, settings: DataSettings, place: Callable[[str], Path]
) -> list[str]:
    by_table = settings.labels == "csv" or (
        settings.labels == "auto" and find_table(place, settings.table).is_file()
    )
    origin = text.PREVIEW_FROM_TABLE if by_table else text.PREVIEW_FROM_FOLDERS
    counts = Counter(name for label in labelling.files.values() for name in label.labels)
    named = [f"{name} ({count:,})" for name, count in counts.most_common(MOST_CLASSES_NAMED)]
    more = ["…"] if len(counts) > MOST_CLASSES_NAMED else []
    words = {0: text.PREVIEW_NO_CLASS, 1: text.PREVIEW_ONE_CLASS}.get(
        len(counts), text.PREVIEW_CLASSES
    )
    said = [words.format(count=len(counts), origin=origin, names=", ".join(named + more))]
    unlabelled = sum(bool(label.code) for label in labelling.files.values())
    words = text.PREVIEW_UNLABELLED if unlabelled == 1 else text.PREVIEW_MANY_UNLABELLED
    return said + ([words.format(count=unlabelled)] if unlabelled else [])


def _patients(labelling: Labelling, settings: DataSettings, images: list[str]) -> list[str]:
    named = [label.patient for label in labelling.files.values() if label.patient]
    said = []
    if named:
        column = text.PREVIEW_COLUMN.format(patients=len(set(named)), files=len(named))
        said.append(column)
    if settings.patient_pattern:
        said += _pattern(settings.patient_pattern, images)
    if said:
        return [*said, text.PREVIEW_HEADER]
    return [text.PREVIEW_NOBODY, *_suggestion(images)]


def _pattern(pattern: str, images: list[str]) -> list[str]:
    try:
        found = preview_pattern(images, pattern)
    except ConfigError as error:
        return [f"{error.what}. {error.todo}"]
    said = [
        text.PREVIEW_PATTERN.format(patients=found.patients, files=found.images - found.unmatched)
    ]
    if found.unmatched:
        unfit = next(each.before for each in found.examples if not each.patient)
        said.append(text.PREVIEW_UNFIT.format(count=found.unmatched, name=unfit))
    return said


def _suggestion(images: list[str]) -> list[str]:
    """What file names suggest, where neither table nor pattern names a patient."""
    found = suggest_patterns(images)[:1]
    return [
        text.PREVIEW_SUGGESTED.format(
            patients=each.preview.patients, about=each.about, pattern=each.preview.pattern
        )
        for each in found
    ]


def _columns(table: Path, name: str) -> str:
    try:
        return f"{name} ({', '.join(read_table(table).columns)})"
    except BedsideError:
        return name
