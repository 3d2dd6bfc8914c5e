"""From rows to the table: every method in every cell, and the declared comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from core.benchmarks.grid.plan import Cell, Run
from core.benchmarks.grid.rows import Row, finished, sets_of, unpack
from core.evaluation.seeds import Areas, areas_over_seeds, contrast, holm

RESAMPLES = 2000
CONFIDENCE = 0.95
SEED = 0  # of the resamples
Pairs = Sequence[tuple[str, str]]
Rows = dict[int, Row]  # of one method in one cell, by seed


def compare(
    rows: Sequence[Row], runs: Iterable[Run], declared: Pairs = (), descriptive: Pairs = ()
) -> dict[str, Any]:
    """All figures of those of `runs` that have a row.

    Args:
        rows: Of the file.
        runs: Those that count.
        declared: Pairs of methods to compare, with Holm's correction over the cells.
        descriptive: Others, without it.

    Returns:
        ``done``, how many; ``cells``, each with ``title`` and for every method ``auroc`` (mean over
        the seeds), ``sd``, ``validation_auroc`` and ``seeds``; ``comparisons``, each with
        ``teacher``, ``first``, ``second``, whether it was ``declared`` and its ``cells``:
        ``value``, ``low``, ``high``, ``p``, after Holm ``p_holm``, and ``seeds``.
    """
    known, cells = finished(rows), dict[Cell, dict[str, Rows]]()
    for run in runs:
        methods = cells.setdefault(run.cell, {})
        if run.key in known:
            methods.setdefault(run.method, {})[run.seed] = known[run.key]
    core = {cell: methods for cell, methods in cells.items() if cell.is_core}
    sets = sets_of(rows)
    pairs = [(pair, True) for pair in declared] + [(pair, False) for pair in descriptive]
    teachers = dict.fromkeys(cell.teacher for cell in core)
    return {
        "done": sum(len(found) for methods in cells.values() for found in methods.values()),
        "cells": [
            {
                "title": cell.title,
                "methods": {name: _summary(found) for name, found in methods.items()},
            }
            for cell, methods in cells.items()
            if methods
        ],
        "comparisons": [
            _comparison(pair, corrected, _with_teacher(core, teacher), sets) | {"teacher": teacher}
            for teacher in teachers
            for pair, corrected in pairs
        ],
    }


def show(result: Mapping[str, Any]) -> Table:
    """The means, then the comparisons, for every reading; then what is missing."""
    shown = Table(
        "", "AUROC, mean (sd)", "seeds",
        title=f"Accuracy: {result['runs'] - len(result['missing'])} of {result['runs']} runs",
        box=None, header_style="dim",
    )  # fmt: skip
    _add(shown, result)
    if result["again"]["done"]:
        shown.add_row("[bold underline]Declared later, with ten new seeds[/]")
        _add(shown, result["again"])
        shown.add_row("[bold underline]Both together (descriptive)[/]")
        _add(shown, result["together"])
    for method in result["missing_methods"]:
        shown.add_row(f"[yellow]There is no method {method} in this version[/]")
    if result["missing"]:
        shown.add_row(f"[yellow]{len(result['missing'])} runs are missing; the next is[/]")
        shown.add_row(f"  {result['missing'][0]}")
    shown.caption = (
        "No set has patient ids: levels are optimistic, comparisons are paired. 95 % intervals "
        "over clusters of near-duplicates and seeds."
    )
    return shown


def _add(shown: Table, reading: Mapping[str, Any]) -> None:
    for cell in reading["cells"]:
        shown.add_row(f"[bold]{cell['title']}[/]")
        for name, found in cell["methods"].items():
            spread = "" if found["sd"] is None else f" ({found['sd']:.3f})"
            shown.add_row(f"  {name}", f"{found['auroc']:.3f}{spread}", str(found["seeds"]))
    for compared in reading["comparisons"]:
        kind = "declared" if compared["declared"] else "descriptive"
        pair = f"{compared['first']} - {compared['second']}"
        shown.add_row(f"[bold]{pair}[/] ({kind}; {compared['teacher']})")
        for cell in compared["cells"]:
            shown.add_row(f"  {cell['title']}", words(cell), str(cell["seeds"]))


def words(cell: Mapping[str, Any]) -> str:
    """``0.012 (-0.003 to 0.027), p 0.10``, or what there is of it."""
    if cell["value"] is None:
        return "no seed yet"
    if cell["low"] is None:
        return f"{cell['value']:+.3f}, no interval from one seed"
    text = f"{cell['value']:+.3f} ({cell['low']:+.3f} to {cell['high']:+.3f})"
    return f"{text}, p {cell['p_holm']:.2g} (Holm)" if cell["p_holm"] is not None else text


def _with_teacher(
    cells: Mapping[Cell, Mapping[str, Rows]], teacher: str
) -> dict[Cell, Mapping[str, Rows]]:
    return {cell: methods for cell, methods in cells.items() if cell.teacher == teacher}


def _summary(found: Rows) -> dict[str, Any]:
    values = [row["test_auroc"] for row in found.values()]
    return {
        "auroc": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "validation_auroc": float(np.mean([row["validation_auroc"] for row in found.values()])),
        "seeds": len(values),
    }


def _comparison(
    pair: tuple[str, str],
    declared: bool,
    cells: Mapping[Cell, Mapping[str, Rows]],
    sets: Mapping[str, Row],
) -> dict[str, Any]:
    first, second = pair
    found = []
    for cell, methods in cells.items():
        both = methods.get(first, {}), methods.get(second, {})
        seeds = sorted(both[0].keys() & both[1].keys())
        entry: dict[str, Any] = dict.fromkeys(("value", "low", "high", "p"))
        if seeds:
            areas = [_areas([rows[seed] for seed in seeds], sets[cell.set]) for rows in both]
            entry = vars(contrast(*areas, confidence=CONFIDENCE, seed=SEED))
        found.append({"title": cell.title, **entry, "seeds": len(seeds)})
    adjusted = holm([cell["p"] for cell in found]) if declared else [None] * len(found)
    for cell_found, p_value in zip(found, adjusted, strict=True):
        cell_found["p_holm"] = p_value
    return {"first": first, "second": second, "declared": declared, "cells": found}


def _areas(rows: Sequence[Row], facts: Row) -> Areas:
    scores = np.stack([unpack(row["test"], len(facts["classes"])) for row in rows])
    targets, clusters = (np.array(facts[name]) for name in ("test_targets", "test_clusters"))
    return areas_over_seeds(targets, scores, clusters, resamples=RESAMPLES, seed=SEED)
