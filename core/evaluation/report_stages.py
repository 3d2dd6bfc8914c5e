"""Teacher and student stage by stage: the two tables of CKA, and what they say in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.evaluation.report_words import count

Json = Mapping[str, Any]
WHEN = (("before", "Before training"), ("after", "After training"))
EXPLAINED = (
    "1: both arrange the images alike; 0: as if by chance. A stronger shade is more; outlined are "
    "the stages that training brought together. What stands before training comes from the "
    "pictures themselves; what training added is the difference."
)


@dataclass(frozen=True)
class StageTable:
    """Rows are the teacher's stages, columns the student's, both from shallow to deep.

    Attributes:
        title: Before or after training.
        columns: Numbers of the student's stages.
        rows: Number of the teacher's stage, and for each column the figure, its tenths for
            shading, and whether training brought the two together.
    """

    title: str
    columns: list[int]
    rows: list[tuple[int, list[tuple[str, int, bool]]]]


def stage_tables(alignment: Json) -> list[StageTable]:
    """The tables of ``alignment.json``; none where there is no teacher."""
    return [_table(title, alignment[key], alignment["pairs"]) for key, title in WHEN if alignment]


def stages_in_words(alignment: Json) -> str:
    """How many images, and what became of the stages that training brought together."""
    if not alignment:
        return ""
    before, after, pairs = (alignment[key] for key in ("before", "after", "pairs"))
    said = f"Measured on {count(alignment['images'], 'validation image')}, unturned and uncropped."
    if not pairs:
        return f"{said} This method compares answers, not stages, so it brings none together."
    tap, stage = pairs[-1]
    first, last = before[tap][stage], after[tap][stage]
    if first is None or last is None:
        return f"{said} They are too few, or too alike, for a figure."
    moved = last - first
    verb = "rose" if moved >= 0.02 else "fell" if moved <= -0.02 else "stayed"
    path = f"from {two(first)} to {two(last)}" if verb != "stayed" else f"at {two(last)}"
    return (
        f"{said} Likeness of the teacher's stage {tap + 1} and the student's stage {stage + 1} "
        f"{verb} {path}. Likeness is not correctness."
    )


def two(value: float | None) -> str:
    """A figure with two digits; a dash where there is none."""
    return "–" if value is None else f"{value + 0.0:.2f}".replace("-", "−")


def _table(
    title: str, found: Sequence[Sequence[float | None]], pairs: Sequence[Sequence[int]]
) -> StageTable:
    together = set(map(tuple, pairs))
    rows = [
        (
            tap + 1,
            [
                (two(value), round(10 * max(0.0, value or 0.0)), (tap, stage) in together)
                for stage, value in enumerate(values)
            ],
        )
        for tap, values in enumerate(found)
    ]
    return StageTable(title, list(range(1, len(found[0]) + 1)), rows)
