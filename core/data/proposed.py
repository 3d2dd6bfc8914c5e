"""The division that comes with the data: a column of the label table, or folders by that name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

PARTS = {
    "train": "train", "training": "train", "tr": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test", "te": "test",
}  # fmt: skip
USUAL_COLUMNS = ("split", "source_split", "set", "subset", "partition", "fold", "phase")


def are_parts(folders: Iterable[str]) -> bool:
    """Whether the folders at the top are parts of a division and no classes."""
    names = {folder.casefold() for folder in folders}
    return bool(names) and names <= PARTS.keys()


def folder_parts(files: Sequence[str]) -> dict[str, str]:
    """The part that the top folder of each file names; empty unless all of them name one."""
    tops = {file: PurePosixPath(file).parts[0] for file in files if "/" in file}
    if not are_parts(tops.values()):
        return {}
    return {file: PARTS[top.casefold()] for file, top in tops.items()}


def part_of(word: str) -> str:
    """The part that a cell names, or ``""``."""
    return PARTS.get(word.strip().casefold(), "")


def find_split_column(
    columns: Sequence[str], rows: Iterable[Mapping[str, str]], wanted: str
) -> str:
    """The column that divides the images: the one wanted, else one of a usual name, else ``""``.

    A column of a usual name counts only if every cell of it names a part, so that folds of a
    cross-validation or sets of another kind are not taken for one.
    """
    if wanted in columns:
        return wanted
    usual = {name.casefold(): name for name in reversed(columns)}
    held = list(rows)
    for name in USUAL_COLUMNS:
        column = usual.get(name)
        if column is not None and all(part_of(row.get(column, "")) for row in held):
            return column
    return ""
