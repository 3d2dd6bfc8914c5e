"""How alike teacher and student arrange images, stage by stage, before training and after it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.data.augment import clean_view
from core.objectives.cka import UnbiasedCka
from core.objectives.methods import find_method, stages_in_use
from core.students.base import Student
from core.teachers.base import Teacher
from core.training.session import Session, initial_student
from core.types import Reporter, SplitName, Stopped

BATCH = 32
MOST = 512  # images: of a ViT-B on a processor a minute or two, and two digits of CKA are steady
Table = list[list[float | None]]


def align_stages(session: Session, teacher: Teacher) -> dict[str, Any]:
    """Unbiased CKA of the teacher's taps (rows) with the student's stages (columns).

    Measured on clean validation images, at most `MOST`, evenly spaced over the split so that every
    class is among them, all in one batch, of features averaged over space. The student before
    training is made anew from the seed, so a resumed or extended run has the same "before".

    Args:
        session: A training that has ended; its student has the best weights.
        teacher: The network that taught.

    Returns:
        ``images`` (how many), ``before`` and ``after`` (tables of figures at most 1, None where
        undefined), and ``pairs``: ``[tap, stage]`` that the method brought together.

    Raises:
        Stopped: The reporter asked to stop.
    """
    rows = probe_rows(session.dataset.part(SplitName.VALIDATION)["row"].to_numpy())
    side = session.config.student.image_px
    fresh = initial_student(session.config, len(session.dataset.classes))

    def pooled(maps_of: Callable[[Tensor], list[Tensor]], side: int, part: int) -> list[Tensor]:
        return _pooled(session, maps_of, rows, side, part)

    taught = pooled(lambda x: teacher(x.to(teacher.mean.device)), teacher.spec.image_px, 0)
    students: list[Student] = [fresh.eval(), session.student]
    before, after = (pooled(each.encode, side, part) for part, each in enumerate(students, 1))
    return {
        "images": len(rows),
        "before": _table(taught, before),
        "after": _table(taught, after),
        "pairs": _pairs(session),
    }


def probe_rows(rows: np.ndarray) -> np.ndarray:
    """At most `MOST` rows, evenly spaced."""
    kept = np.linspace(0, len(rows) - 1, min(MOST, len(rows))).round().astype(np.int64)
    return np.asarray(rows[kept])


@torch.no_grad()
def _pooled(
    session: Session,
    maps_of: Callable[[Tensor], list[Tensor]],
    rows: np.ndarray,
    side: int,
    part: int,
) -> list[Tensor]:
    """Spatial means of every map, ``[n, C_i]`` float32; `part` of three for the progress."""
    reporter: Reporter = session.reporter
    found: list[list[Tensor]] = []
    for start in range(0, len(rows), BATCH):
        if reporter.stop_requested():
            raise Stopped
        images = clean_view(session.cache.images(rows[start : start + BATCH]), side)
        found.append([each.float().mean((2, 3)).cpu() for each in maps_of(images)])
        reporter.progress(part * len(rows) + min(start + BATCH, len(rows)), 3 * len(rows))
    return [torch.cat(batches) for batches in zip(*found, strict=True)]


def _table(taught: list[Tensor], learned: list[Tensor]) -> Table:
    return [[_cka(theirs, own) for own in learned] for theirs in taught]


def _cka(theirs: Tensor, own: Tensor) -> float | None:
    measure = UnbiasedCka()
    measure.add(theirs, own)
    value = measure.value()
    return round(value, 4) if math.isfinite(value) else None


def _pairs(session: Session) -> list[list[int]]:
    method = find_method(session.config.method.name)
    if session.request is None or "probe" in method.uses:  # which compares answers, not maps
        return []
    stages = stages_in_use(method, len(session.student.stages))
    return [[tap, stage] for tap, stage in zip(session.request.taps, stages, strict=False)]
