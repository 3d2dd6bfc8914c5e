"""Pictures with a known lesion, small trained students, and cards for them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.config import PixelSettings
from core.inference.card import ModelCard, TeacherNote
from core.students.base import Student, build_student, normalisation
from core.students.spec import STUDENTS
from core.types import Task

SIDE = 64


def lesions(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Noisy pictures ``[N, 1, 64, 64]``, whether each has a bright square, and its mask."""
    draw = torch.Generator().manual_seed(seed)
    images = 0.35 * torch.rand(count, 1, SIDE, SIDE, generator=draw)
    masks = torch.zeros(count, SIDE, SIDE, dtype=torch.bool)
    labels = torch.arange(count) % 2
    corners = torch.randint(0, SIDE - 16, (count, 2), generator=draw)
    for place in labels.nonzero().flatten().tolist():
        top, left = corners[place].tolist()
        masks[place, top : top + 16, left : left + 16] = True
    return (images + 0.6 * masks[:, None]).clamp(0, 1), labels, masks


def trained(name: str, steps: int, rate: float) -> Student:
    """A student that has seen `lesions` for a few steps."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    student = build_student(name, 2, SIDE)
    for part in student.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 0.5  # few steps: let the running statistics catch up
    images, labels, _ = lesions(64, seed=1)
    optimiser = torch.optim.AdamW(student.parameters(), lr=rate)
    student.train()
    for step in range(steps):
        rows = torch.arange(32) + 32 * (step % 2)
        loss = torch.nn.functional.cross_entropy(student(images[rows]), labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return student.eval()


def card_for(name: str, **changes: object) -> ModelCard:
    """A card that fits `build_student(name, 2, 64)`, with `changes`."""
    spec = STUDENTS.get(name)
    mean, std = normalisation(spec)
    facts: dict[str, object] = {
        "student": name,
        "title": spec.title,
        "architecture": spec.architecture,
        "options": spec.architecture_options(2, SIDE),
        "classes": ("benign", "malignant"),
        "task": Task.MULTICLASS,
        "channels": 1,
        "image_px": SIDE,
        "pixels": PixelSettings(size_px=SIDE),
        "mean": mean,
        "std": std,
        "thresholds": {"malignant": 0.4},
        "teacher": TeacherNote(
            title="Tiny teacher",
            licence="CC-BY-4.0",
            licence_note="Name the authors.",
            licence_accepted="2026-11-28T00:00:00+00:00",
            citation="A. Author, 2026",
            sha256="0" * 64,
        ),
        "method": "rd",
        "data_sha256": "1" * 64,
        "synthetic": True,
        "run": "20260101-000000-demo-abcd",
        "bedside_version": "0.1.0",
    }
    return ModelCard.model_validate(facts | changes)
