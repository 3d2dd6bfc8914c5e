"""Which columns of a label table probably hold what: a proposal for the page, no assumption."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.data.proposed import PARTS
from core.data.table_files import Table
from core.data.tables import MOST_CLASSES, FileFinder

SAMPLE = 500  # rows that are looked at
PATIENT = re.compile(r"patient|subject|case|person|mrn|pid\b", re.IGNORECASE)
LABEL = re.compile(r"label|class|diagnos|target|finding|category|dx\b|outcome", re.IGNORECASE)
BINARY = {"0", "1", "0.0", "1.0"}


@dataclass(frozen=True)
class Proposal:
    """Columns by what they seem to hold; ``""`` or empty where none does.

    Attributes:
        file: The column most of whose cells name a file that was found.
        labels: One column of classes, or all columns of 0 and 1.
        patient: Named like a patient, with values that repeat or not.
        split: Every value is a part (train, validation, test).
        found: Share of the rows looked at whose file was found, in [0, 1].
    """

    file: str
    labels: tuple[str, ...]
    patient: str
    split: str
    found: float


def propose_columns(table: Table, files: Sequence[str]) -> Proposal:
    """Look at the first rows of a table.

    Args:
        table: The table.
        files: Relative paths of the images found.
    """
    rows = [row for _, row in table.rows[:SAMPLE]]
    cells = {name: [row.get(name, "") for row in rows] for name in table.columns}
    find = FileFinder(files)
    hits = {name: sum(find(cell) is not None for cell in cells[name]) for name in cells}
    file = max(hits, key=lambda name: hits[name])
    found = hits[file] / len(rows)
    left = {name: values for name, values in cells.items() if name != file or not found}
    split = next((name for name, values in left.items() if _is_split(values)), "")
    patient = next((name for name in left if PATIENT.search(name)), "")
    rest = {name: values for name, values in left.items() if name not in {split, patient}}
    return Proposal(file if found else "", _labels(rest), patient, split, found)


def _is_split(values: list[str]) -> bool:
    named = {value.casefold() for value in values}
    return len(named) > 1 and named <= PARTS.keys()


def _labels(cells: dict[str, list[str]]) -> tuple[str, ...]:
    named = [name for name in cells if LABEL.search(name)]
    binary = [name for name, values in cells.items() if set(values) <= BINARY]
    if len(binary) > 1 and not any(name not in binary for name in named):
        return tuple(binary)
    fitting = [name for name, values in cells.items() if 1 < len(set(values)) <= MOST_CLASSES]
    choice = [name for name in fitting if name in named] or fitting
    return (min(choice, key=lambda name: len(set(cells[name]))),) if choice else ()
