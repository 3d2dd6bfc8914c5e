"""Does distillation pay on real images? A grid of runs, one row each; see `grid.plan`.

The file of rows is the state: a run that has a row is never done again, a killed one is. Several
processes may work on one file; each takes another cell and seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from core.benchmarks.base import BENCHMARKS
from core.benchmarks.grid.comparing import compare, show
from core.benchmarks.grid.plan import (
    AGAIN,
    DECLARED,
    DESCRIPTIVE,
    SETS,
    again_grid,
    core_grid,
    full_grid,
    missing_methods,
)
from core.benchmarks.grid.rows import RowFile, missing
from core.benchmarks.grid.working import DATA, Worker, find_sources
from core.errors import ConfigError
from core.files import workspace_folder
from core.types import Reporter


class Accuracy:
    """AUROC of every method on test images, and the declared comparisons."""

    def measure(
        self, reporter: Reporter, folders: Sequence[Path], *, scale: bool = False
    ) -> dict[str, Any]:
        """As `resume`, with the rows in the workspace."""
        return self.resume(reporter, folders, workspace_folder() / "accuracy.jsonl", scale=scale)

    def resume(
        self, reporter: Reporter, folders: Sequence[Path], rows: Path, *, scale: bool = False
    ) -> dict[str, Any]:
        """Do the runs that are missing, then compare all that there are.

        Args:
            reporter: Told the phases and their progress.
            folders: The sets of the grid, by the names of their folders; without any, those under
                ``BEDSIDE_TEST_DATA``; where that is not set either, only what is there is compared.
            rows: The file of rows, which is continued.
            scale: The full grid, for a graphics card.

        Returns:
            ``runs``, how many there are to be; ``missing``, those without a row; what
            `grid.comparing.compare` returns for the grid; the same for the second reading,
            ``again``, and for both, ``together``.

        Raises:
            ConfigError: C21, there are neither images nor rows; C24, a folder is no set of the
                grid; as `grid.sets.load_set` and `grid.rows.RowFile.add_set`.
        """
        file, sources = RowFile(rows), find_sources(folders)
        if not sources and not rows.exists():
            raise ConfigError(
                "C21",
                "This benchmark needs folders of labelled images",
                todo=f"Name {' and '.join(SETS)}, or set {DATA}.",
            )
        first, again = list((full_grid if scale else core_grid)(SETS)), list(again_grid(SETS))
        runs = first + again
        Worker(file, sources, reporter).work(runs)
        found, places = file.read(), {(run.cell, run.method) for run in again}
        both = [run for run in first if (run.cell, run.method) in places] + again
        return {
            "benchmark": "accuracy",
            "runs": len(runs),
            "missing": [run.title for run in missing(runs, found)],
            "missing_methods": missing_methods(),
            **compare(found, first, DECLARED, DESCRIPTIVE),
            "again": compare(found, again, AGAIN),
            "together": compare(found, both, (), AGAIN),
        }

    def table(self, result: dict[str, Any]) -> Table:
        """The methods of every cell, then the comparisons."""
        return show(result)


BENCHMARKS.register("accuracy", __name__)(Accuracy())
