"""Doing the runs that are missing, beside any number of other processes on the same computer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import torch

from core.benchmarks.grid.plan import SETS, THREADS, Run
from core.benchmarks.grid.rows import Row, RowFile, missing
from core.benchmarks.grid.sets import GridSet, load_set
from core.benchmarks.grid.training import Bench
from core.errors import ConfigError
from core.files import private_folder, sha256_json, workspace_folder
from core.runs.lock import FileLock
from core.teachers.catalogue import find_teacher
from core.teachers.checkpoint import load_teacher
from core.types import Reporter

DATA = "BEDSIDE_TEST_DATA"
LOCK_S = 60.0  # a row is written in far less


def find_sources(folders: Sequence[Path]) -> dict[str, Path]:
    """Where the sets of the grid are, by name: as named, or under ``BEDSIDE_TEST_DATA``.

    Raises:
        ConfigError: C24, a folder is no set of the grid.
    """
    for folder in folders:
        if folder.name not in SETS:
            raise ConfigError(
                "C24",
                "A folder is no set of this benchmark",
                todo=f"The sets are {' and '.join(SETS)}; their folders are called so.",
            )
    if not folders and DATA in os.environ:
        folders = [Path(os.environ[DATA]) / "folders" / name for name in SETS]
    return {folder.name: folder for folder in folders if folder.is_dir()}


@dataclass
class Worker:
    """Does runs and writes their rows.

    Attributes:
        file: The rows.
        sources: Where the sets are; runs on others are left out.
        reporter: Told of progress.
    """

    file: RowFile
    sources: Mapping[str, Path]
    reporter: Reporter
    _sets: dict[tuple[str, int, str], GridSet] = field(default_factory=dict)

    def work(self, runs: Iterable[Run]) -> None:
        """Do those of `runs` that have no row, in their order.

        All methods of one cell and seed are done by one process, which holds a lock; what another
        process has begun is left to it.
        """
        torch.set_num_threads(THREADS)
        home = private_folder(workspace_folder() / "accuracy")
        for (cell, seed), group in groupby(runs, key=lambda run: (run.cell, run.seed)):
            mine = list(group)
            if cell.set not in self.sources or not missing(mine, self.file.read()):
                continue
            place = home / sha256_json([cell, seed])[:16]
            with FileLock(place.with_suffix(".lock")).held(0.0) as taken:
                if taken:
                    self._work(mine, place)

    def _work(self, runs: list[Run], place: Path) -> None:
        """The methods of one cell and seed; they share the teacher's features in `place`."""
        name = runs[0].cell.teacher
        teacher = load_teacher(find_teacher(name), workspace_folder() / "teachers")
        for run in missing(runs, self.file.read()):
            data = self._set(run)
            self.reporter.phase("bench", run.title)
            row = Bench(data, teacher, place).row(run, self.reporter)
            self._write(data, row)
        shutil.rmtree(place, ignore_errors=True)

    def _set(self, run: Run) -> GridSet:
        cell = run.cell
        key = cell.set, cell.size_px, cell.teacher
        if key not in self._sets:
            self._sets[key] = load_set(
                self.sources[cell.set], cell.set, cell.size_px, find_teacher(cell.teacher),
                workspace_folder(), self.reporter,
            )  # fmt: skip
        return self._sets[key]

    def _write(self, data: GridSet, row: Row) -> None:
        with FileLock(workspace_folder() / "accuracy" / "rows.lock").held(LOCK_S):
            self.file.add_set(data.facts())
            self.file.append(row)
