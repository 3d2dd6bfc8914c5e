"""What the teacher costs: in one step, beside a step written by hand, and in a whole run.

Everything is as in a run: cached pixels, views, stored teacher features read from disk, losses,
backward pass, optimiser, validation, checkpoints. What is compared takes turns, so that a busy
machine slows both sides alike. The teacher is a ViT-B/16 with random weights: speed does not ask
for knowledge.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from core.benchmarks.base import BENCHMARKS
from core.benchmarks.speed_pair import (
    BATCH,
    EPOCHS,
    SIDE,
    VIEWS,
    Bench,
    speed_config,
    speed_data,
    speed_teacher,
)
from core.benchmarks.speed_runs import (
    TeacherPass,
    reckon,
    run_in_full,
    time_epochs,
    time_teacher,
)
from core.benchmarks.speed_steps import REPEATS, bare_step, ratio, time_in_turns
from core.files import read_facts, write_json
from core.training.device import choose_accelerator
from core.types import Reporter


@dataclass(frozen=True)
class Wanted:
    """A ratio, what it compares, and its limit for each student.

    Attributes:
        title: For people.
        limits: Student to limit.
        least: Whether the limit is the least the ratio should be, not the most.
    """

    title: str
    limits: dict[str, float]
    least: bool = False

    def kept(self, student: str, value: float) -> bool:
        """Whether `value` is as wanted."""
        limit = self.limits[student]
        return value >= limit if self.least else value <= limit


PAIRS = ("resnet18", "mobilenetv3_small_100")
# a graphics card leaves less room beside a step
BARE = 1.05 if torch.cuda.is_available() else 1.10


def _limits(first: float, second: float) -> dict[str, float]:
    return dict(zip(PAIRS, (first, second), strict=True))


WANTED = {
    "rd_step_over_student_step": Wanted("RD step / student step", _limits(1.05, 1.12)),
    "drd_step_over_student_step": Wanted("DRD step / student step, over a run", _limits(3.0, 3.0)),
    "student_step_over_bare_torch_step": Wanted("student step / bare step", _limits(BARE, BARE)),
    "run_over_ideal": Wanted("whole run / ideal run", _limits(1.10, 1.10)),
    "run_speedup_over_online_teacher": Wanted(
        "run with the teacher in the loop / whole run", _limits(2.5, 4.0), least=True
    ),
}
SIDES = {
    "bare": "bare step, images/s",
    "student_only": "student step, images/s",
    "rd": "RD step, images/s",
    "drd": "DRD step while hints guide it, images/s",
    "drd_later": "DRD step later, images/s",
    "online": "RD step with the teacher in the loop, images/s",
}


class Speed:
    """Images per second of every kind of step, and the five ratios."""

    def measure(
        self, reporter: Reporter, folders: Sequence[Path] = (), *, scale: bool = False
    ) -> dict[str, Any]:
        """Time both students; needs no images.

        Args:
            reporter: Told of progress.
            folders: Not used.
            scale: Also train whole runs and put them beside what was reckoned.

        Returns:
            ``pairs``: for each student the ratios of `WANTED`, ``images_per_second`` of each side,
            all ``seconds``, ``teacher_seconds``, the ``reckoned`` seconds of runs (with ``scale``
            also ``full``), what was chosen for the ``device``, and ``config_sha256``; besides
            ``teacher``, ``teacher_precision``, ``image_px``, ``batch``, ``epochs``, ``views`` and
            ``repeats``.
        """
        return _measure_all(reporter, scale, {}, lambda result: None)

    def resume(
        self, reporter: Reporter, folders: Sequence[Path], rows: Path, *, scale: bool = False
    ) -> dict[str, Any]:
        """As `measure`; every student is written to the file `rows` as soon as it is measured.

        Students that stand there, measured with the same settings, are not measured again.
        """
        found = read_facts(rows)
        pairs = {
            student: pair
            for student, pair in found.get("pairs", {}).items()
            if pair["config_sha256"] == _config_sha256(student) and (not scale or "full" in pair)
        }
        if all(student in pairs for student in PAIRS):
            return found
        return _measure_all(reporter, scale, pairs, lambda result: write_json(rows, result))

    def table(self, result: dict[str, Any]) -> Table:
        """For each student its ratios with what they should be, and images per second."""
        shown = Table(
            "measured", "value", "wanted", "",
            title=f"{result['teacher']}; {result['image_px']} px, batch {result['batch']}",
            box=None, header_style="dim",
        )  # fmt: skip
        for student, found in result["pairs"].items():
            shown.add_row(f"{student}, {found['device']['precision']}")
            for name, wanted in WANTED.items():
                sign = "≥" if wanted.least else "≤"
                kept = "kept" if wanted.kept(student, found[name]) else "missed"
                limit = f"{sign} {wanted.limits[student]:.2f}"
                shown.add_row(f"  {wanted.title}", f"{found[name]:.2f}", limit, kept)
            for side, title in SIDES.items():
                shown.add_row(f"  {title}", f"{found['images_per_second'][side]:.1f}")
            if "full" in found:
                real = found["full"]["run"] / found["full"]["ideal"]
                shown.add_row("  whole run / ideal run, both run in full", f"{real:.2f}")
        return shown


BENCHMARKS.register("speed", __name__)(Speed())


def _measure_all(
    reporter: Reporter,
    scale: bool,
    known: dict[str, Any],
    keep: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Measure the students that are not `known`; `keep` is given the result after each."""
    pairs = dict(known)
    with tempfile.TemporaryDirectory(prefix="bedside-bench-") as folder:
        bench = Bench(speed_data(reporter), speed_teacher(), Path(folder), reporter)
        bench.teacher.to(choose_accelerator(speed_config(PAIRS[0], "rd").device))
        result = {
            "benchmark": "speed",
            "teacher": bench.teacher.spec.title,
            "teacher_precision": bench.precision,
            "image_px": SIDE,
            "batch": BATCH,
            "epochs": EPOCHS,
            "views": VIEWS,
            "repeats": REPEATS,
            "pairs": pairs,
        }
        teacher = time_teacher(bench, PAIRS[0], reporter)
        for student in (name for name in PAIRS if name not in known):
            pairs[student] = _measure(bench, student, teacher, scale)
            keep(result)
    return result


def _config_sha256(student: str) -> str:
    """What is measured: the app's settings for RD with this student, at the benchmark's size."""
    return speed_config(student, "rd", VIEWS).sha256


def _measure(bench: Bench, student: str, teacher: TeacherPass, scale: bool) -> dict[str, Any]:
    reporter = bench.reporter
    reporter.phase("bench", f"Preparing {student}")
    alone, chosen = bench.trainer(student, "student_only")
    trainers = {"student_only": alone}
    trainers |= {method: bench.trainer(student, method)[0] for method in ("rd", "drd")}
    reporter.phase("bench", f"Timing steps of {student}")
    kinds = {"bare": bare_step(alone, chosen)}
    kinds |= {method: trainer.step for method, trainer in trainers.items()}
    later = bench.trainer(student, "drd")[0]
    guided = later.job.config.method.guidance.over  # a share of the steps
    kinds["drd_later"] = lambda turn: later.step(math.ceil(guided * later.job.steps) + turn)
    steps = time_in_turns(kinds, REPEATS, reporter)
    reporter.phase("bench", f"Timing epochs of {student}")
    epochs = time_epochs(
        {"student_only": alone, "rd": trainers["rd"], "online": bench.online(student)}, reporter
    )
    runs = reckon(epochs, teacher)
    per_second = {side: BATCH / statistics.median(found) for side, found in steps.items()}
    images = BATCH * alone.job.batches.steps_per_epoch
    per_second["online"] = images / statistics.median(epochs["online"])
    full = {"full": run_in_full(bench, student, reporter)} if scale else {}
    return {
        "rd_step_over_student_step": ratio(steps, "rd", "student_only"),
        "drd_step_over_student_step": guided * ratio(steps, "drd", "student_only")
        + (1 - guided) * ratio(steps, "drd_later", "student_only"),
        "student_step_over_bare_torch_step": ratio(steps, "student_only", "bare"),
        "run_over_ideal": runs["run"] / runs["ideal"],
        "run_speedup_over_online_teacher": runs["online"] / runs["run"],
        "images_per_second": per_second,
        "reckoned": runs,
        "seconds": {"steps": steps, "epochs": epochs},
        "device": asdict(chosen),
        "teacher_seconds": asdict(teacher),
        "config_sha256": _config_sha256(student),
        **full,
    }
