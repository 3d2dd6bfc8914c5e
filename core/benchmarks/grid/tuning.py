"""What was tried on validation images, with seeds 0 to 4, before the settings were frozen.

``python -m core.benchmarks.grid.tuning ROWS WORD FOLDER...`` does what is missing and
prints the means over the seeds, measured on all validation images of a set: the few that a share of
the training images leaves would tell nothing. No test image is read: runs with these seeds never do
(`training.Bench.row`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from core.benchmarks.grid.plan import (
    FITTED_PROBE,
    ONLINE,
    PROBE,
    TEACHERS,
    TUNING_SEEDS,
    Cell,
    Run,
)
from core.benchmarks.grid.rows import RowFile, finished
from core.benchmarks.grid.working import Worker, find_sources
from core.types import SilentReporter

PLACES = (("busi_256", 0.2), ("brain_mri_4class_224", 0.05))
CELLS = tuple(Cell(*place, teacher) for teacher in TEACHERS for place in PLACES)
VIEWS = (4, ONLINE)  # stored views of each image, or a fresh one in every epoch
VIEW_CELLS = tuple(Cell(*place, views=views) for place in PLACES for views in VIEWS)
CONSTANT: dict[str, Any] = {"hybrid": {"end": 1.0}, "agreement": {"end": 1.0}}
FIGURE = "whole_validation_auroc"
SOFT = CONSTANT | {"temperature": 4.0}
TRIED: dict[str, tuple[str, dict[str, Any]]] = {
    "student_only": ("student_only", {}),
    "kd": ("kd", {}),
    "rd, the papers' schedules": ("rd", {}),
    "rd, weights constant, temperature 4, detached": ("rd", SOFT | {"detach_hybrid": True}),
    "rd, weights constant, CKA 10": ("rd", CONSTANT | {"cka": 10.0}),
    "drd, guided by fading hints": ("drd", {}),
    "drd, as published": ("drd", {"guidance": {"start": 0.0}}),
    "drd, hints constant": ("drd", {"guidance": {"start": 100.0, "end": 100.0}}),
    "cka_only, CKA 10": ("cka_only", {"cka": 10.0}),
    "hint": ("hint", {}),
    "lora_kd": ("lora_kd", {}),
    "the teacher's probe": (PROBE, {}),
    "the teacher's probe after LoRA": (FITTED_PROBE, {}),
}


def tuning_runs(only: str = "") -> Iterator[Run]:
    """All that is tried, teacher by teacher and seed by seed; then RD with other views."""
    for teacher, seed in product(TEACHERS, TUNING_SEEDS):
        for cell in CELLS:
            for title, (method, changes) in TRIED.items():
                if only in title and cell.teacher == teacher:
                    yield Run(cell, method, seed, changes)
    for seed, cell in product(TUNING_SEEDS, VIEW_CELLS):
        if only in "rd, views":
            yield Run(cell, "rd", seed, {})


def main(arguments: list[str]) -> None:
    """Do what is missing, then print the mean validation AUROC of each setting."""
    rows, only, *folders = arguments
    file = RowFile(Path(rows))
    Worker(file, find_sources([Path(folder) for folder in folders]), SilentReporter()).work(
        tuning_runs(only)
    )
    known = finished(file.read())
    for cell in (*CELLS, *VIEW_CELLS):
        for title, (method, changes) in TRIED.items():
            runs = [Run(cell, method, seed, changes) for seed in TUNING_SEEDS]
            found = [known[run.key][FIGURE] for run in runs if run.key in known]
            if found:
                print(f"{cell.title}: {title}: {np.mean(found):.3f} {np.round(found, 3)}")


if __name__ == "__main__":
    main(sys.argv[1:])
