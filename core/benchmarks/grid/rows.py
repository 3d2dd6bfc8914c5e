"""The file of rows: JSON lines, one for each data set and one for each finished run.

A row is written once, when its run is finished; a run that was killed has none and is done again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.benchmarks.grid.plan import PROTOCOL, Run
from core.errors import ConfigError
from core.evaluation.metrics import Floats

Row = dict[str, Any]
SCALE = 100  # log-odds are kept in hundredths: probabilities of four digits would tie near 0 and 1
LARGEST = 20.0  # of log-odds


@dataclass(frozen=True)
class RowFile:
    """Rows on disk, shared by any number of processes of one computer.

    Attributes:
        path: The file; made with the first row.
    """

    path: Path

    def read(self) -> list[Row]:
        """All whole rows of this protocol, in the order in which they were written."""
        if not self.path.exists():
            return []
        *lines, _torn = self.path.read_text(encoding="utf-8").split("\n")
        rows: list[Row] = [json.loads(line) for line in lines]
        return [row for row in rows if row["protocol"] == PROTOCOL]

    def append(self, row: Row) -> None:
        """Write one row; the caller holds the lock. A last line that a kill has torn is cut off."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"protocol": PROTOCOL, **row}, allow_nan=False, separators=(",", ":"))
        with self.path.open("a+b") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def add_set(self, facts: Row) -> None:
        """Write a data set's row unless it is there; the caller holds the lock.

        Raises:
            ConfigError: C23, the rows are of other images under the same name.
        """
        known = sets_of(self.read()).get(facts["set"])
        if known is None:
            self.append({"row": "set", **facts})
        elif known["data_sha256"] != facts["data_sha256"]:
            raise ConfigError(
                "C23",
                "The rows of this file are of other images, or of another division",
                item=str(facts["set"]),
                todo="Name another file.",
            )


def sets_of(rows: Iterable[Row]) -> dict[str, Row]:
    """The rows of data sets by name."""
    return {row["set"]: row for row in rows if row["row"] == "set"}


def finished(rows: Iterable[Row]) -> dict[str, Row]:
    """The rows of runs by `Run.key`; of equal keys the first."""
    found: dict[str, Row] = {}
    for row in rows:
        if row["row"] == "run":
            found.setdefault(row["key"], row)
    return found


def missing(runs: Iterable[Run], rows: Iterable[Row]) -> list[Run]:
    """Those of `runs` that have no row, in their order."""
    known = finished(rows)
    return [run for run in runs if run.key not in known]


def pack(probabilities: Floats) -> list[int]:
    """``[N, C]`` probabilities as log-odds in hundredths, row after row."""
    clipped = probabilities.astype(np.float64).clip(1e-9, 1 - 1e-9)
    odds = np.log(clipped / (1 - clipped)).clip(-LARGEST, LARGEST)
    packed: list[int] = np.rint(odds * SCALE).astype(int).ravel().tolist()
    return packed


def unpack(packed: list[int], classes: int) -> Floats:
    """``[N, C]`` probabilities from what `pack` made; exact to 0.3 % of them."""
    odds = np.array(packed, dtype=np.float64).reshape(-1, classes) / SCALE
    scores: Floats = 1 / (1 + np.exp(-odds))
    return scores
