"""In which arithmetic a teacher looks at pictures: the faster one, by measurement."""

from __future__ import annotations

import time
from typing import Literal

import torch
from torch import Tensor

from core.teachers.base import Precision, Teacher

# pictures looked at, on what a teacher can compute in bfloat16; on other devices it keeps float32
PICTURES = {"cpu": (1, 4), "cuda": (32,)}
GAIN = 0.9  # bfloat16 has to take at most so much of the time of float32
CLEAR = (0.6, 1.2)  # outside of this no more pictures are looked at


def choose_precision(teacher: Teacher, asked: Literal["auto"] | Precision) -> Precision:
    """What was asked for, or the faster of both for this teacher where it is now.

    What a teacher sees is kept in bfloat16 whatever it was computed in. Where the processor has
    AVX-512 BF16, a ViT-B takes a third of the time, which one picture shows in 0.3 s; a
    convolutional network takes half, of which one picture shows little and four show more.
    Elsewhere bfloat16 may well be the slower one.
    """
    if asked != "auto":
        return asked
    device, side = teacher.mean.device, teacher.spec.image_px
    share = 1.0
    for count in PICTURES.get(device.type, ()):
        pictures = torch.zeros(count, 1, side, side, device=device)  # uses up no random number
        for _ in range(2):  # what is slow at first counts against bfloat16, which comes first
            try:
                half = _seconds(teacher, pictures, "bfloat16")
            except RuntimeError:  # not every operation has a bfloat16; else float32 fails too
                return "float32"
            share = half / _seconds(teacher, pictures, "float32")
            if share < CLEAR[0]:
                return "bfloat16"
        if share > CLEAR[1]:
            break
    return "bfloat16" if share < GAIN else "float32"


def _seconds(teacher: Teacher, pictures: Tensor, kind: Precision) -> float:
    started = time.perf_counter()
    teacher(pictures, kind)
    if pictures.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started
