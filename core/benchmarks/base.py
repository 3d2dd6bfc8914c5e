"""A benchmark: what it measures, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from rich.table import Table

from core.registry import Registry
from core.types import Reporter


class Benchmark(Protocol):
    """Something measured on this machine."""

    def measure(
        self, reporter: Reporter, folders: Sequence[Path], *, scale: bool = False
    ) -> dict[str, Any]:
        """Measure and return plain values.

        Args:
            reporter: Told the phases and their progress.
            folders: Labelled images, for a benchmark that needs any.
            scale: Measure also what takes long.
        """

    def table(self, result: dict[str, Any]) -> Table:
        """Show what `measure` returned."""


@runtime_checkable
class ResumedBenchmark(Benchmark, Protocol):
    """One that takes days: it keeps a row for everything it has done, and goes on from there."""

    def resume(
        self, reporter: Reporter, folders: Sequence[Path], rows: Path, *, scale: bool = False
    ) -> dict[str, Any]:
        """Do what the file `rows` lacks; otherwise as `measure`."""


BENCHMARKS: Registry[Benchmark] = Registry("benchmark", "core.benchmarks")
