"""The import's benchmark on a few files: every figure is there, and is one."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from core.benchmarks.importing import RIVALS, ImportCosts
from core.benchmarks.stages import STAGES
from core.types import SilentReporter


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return ImportCosts(files=20, split=5, repeats=1, sizes=(60,)).measure(SilentReporter())


def numbers(value: Any) -> Iterator[float]:
    """Every number in nested dictionaries and lists."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from numbers(each)
    elif isinstance(value, int | float):
        yield value


def test_every_figure_is_finite_and_positive(found: dict[str, Any]) -> None:
    assert {"dicom_over_pydicom", "png_over_pillow", "stages", "peak_mb"} <= found.keys()
    assert found["stages"]["dicom_over_pydicom"].keys() == {*STAGES, "total"}
    assert found["peak_mb"].keys() == found["seconds"].keys() == {"60"}
    assert all(math.isfinite(number) and number > 0 for number in numbers(found))


def test_the_table_judges_ratios_and_memory(found: dict[str, Any]) -> None:
    ratios = dict.fromkeys(found["kinds"], 0.5)
    kinds = {name: found["kinds"][name] | {"ratio": ratio} for name, ratio in ratios.items()}
    console = Console(width=120, file=io.StringIO())
    console.print(ImportCosts().table(found | {"kinds": kinds, "peak_mb": {"60": 999.0}}))
    shown = str(console.file.getvalue())
    assert shown.count("missed") == len(RIVALS)
    assert shown.count("kept") == 1
