"""In which arithmetic a teacher looks at pictures: the faster one, by measurement."""

from __future__ import annotations

import statistics
import time
from typing import Literal

import torch

from core.teachers.base import Precision, Teacher

PICTURES = 4
TRIALS = 3
GAIN = 0.9  # bfloat16 has to take at most so much of the time of float32
DEVICES = ("cpu", "cuda")  # those on which a teacher was ever run in bfloat16


def choose_precision(teacher: Teacher, asked: Literal["auto"] | Precision) -> Precision:
    """What was asked for, or the faster of both for this teacher where it is now.

    What a teacher sees is kept in bfloat16 whatever it was computed in. A ViT-B takes half of the
    time on a processor that has bfloat16, and several times as long on one that has not.
    """
    device = teacher.mean.device
    if asked != "auto":
        return asked
    if device.type not in DEVICES:
        return "float32"
    side = teacher.spec.image_px
    pictures = torch.rand(PICTURES, 1, side, side, device=device)
    kinds: tuple[Precision, Precision] = ("float32", "bfloat16")
    spent: dict[Precision, list[float]] = {kind: [] for kind in kinds}
    for _ in range(1 + TRIALS):
        for kind in kinds:
            started = time.perf_counter()
            teacher(pictures, kind)
            if device.type == "cuda":
                torch.cuda.synchronize()
            spent[kind].append(time.perf_counter() - started)
    single, half = (statistics.median(spent[kind][1:]) for kind in kinds)
    return "bfloat16" if half < GAIN * single else "float32"
