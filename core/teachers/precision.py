"""In which arithmetic a teacher looks at pictures: the faster one, by measurement."""

from __future__ import annotations

import statistics
import time
from typing import Literal

import torch
from torch import Tensor

from core.teachers.base import Precision, Teacher

PICTURES = 2
TRIALS = 3
GAIN = 0.9  # bfloat16 has to take at most so much of the time of float32
CLEAR = (0.6, 1.2)  # outside of this one timed trial is enough
DEVICES = ("cpu", "cuda")  # on others a teacher stays in float32


def choose_precision(teacher: Teacher, asked: Literal["auto"] | Precision) -> Precision:
    """What was asked for, or the faster of both for this teacher where it is now.

    What a teacher sees is kept in bfloat16 whatever it was computed in. Where the processor has
    AVX-512 BF16, a ViT-B takes a third of the time; elsewhere bfloat16 may well be the slower one.
    """
    device = teacher.mean.device
    if asked != "auto":
        return asked
    if device.type not in DEVICES:
        return "float32"
    side = teacher.spec.image_px
    pictures = torch.zeros(PICTURES, 1, side, side, device=device)  # no random number is used up
    kinds: tuple[Precision, Precision] = ("float32", "bfloat16")
    shares: list[float] = []
    for trial in range(1 + TRIALS):
        single, half = (_seconds(teacher, pictures, kind) for kind in kinds)
        if trial:  # the first is slower for its own reasons
            shares.append(half / single)
        if shares and not CLEAR[0] < shares[-1] < CLEAR[1]:
            break
    return "bfloat16" if statistics.median(shares) < GAIN else "float32"


def _seconds(teacher: Teacher, pictures: Tensor, kind: Precision) -> float:
    started = time.perf_counter()
    teacher(pictures, kind)
    if pictures.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started
