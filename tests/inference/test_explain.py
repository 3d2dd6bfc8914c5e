"""Heat-maps: on a picture with a known lesion they point at it, whatever the method."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.inference.explain import CAPTION, heat_map, method_name
from core.students.base import Student
from core.types import Task
from tests.inference.conftest import Exported
from tests.inference.samples import SIDE, lesions, trained


@pytest.fixture(scope="module")
def transformer() -> Student:
    return trained("vit_tiny", steps=30, rate=5e-4)


def share_inside(student: Student, *, seed: int = 9) -> tuple[float, float]:
    """Share of the heat that lies on the lesion, and the share of area the lesion covers."""
    images, labels, masks = lesions(16, seed)
    sick = labels == 1
    maps = heat_map(student, images[sick], class_index=1)
    inside = masks[sick].numpy()
    return float((maps * inside).sum() / maps.sum()), float(inside.mean())


def test_a_convolutional_student_looks_at_the_lesion(exported: Exported) -> None:
    heat, area = share_inside(exported.student)
    assert heat > 2 * area
    assert "Grad-CAM" in method_name(exported.student)


def test_a_transformer_looks_at_the_lesion(transformer: Student) -> None:
    images, labels, _ = lesions(32, seed=5)
    with torch.no_grad():
        assert (transformer(images).argmax(1) == labels).float().mean() > 0.9
    heat, area = share_inside(transformer)
    assert heat > 4 * area
    assert "integrated gradients" in method_name(transformer)


@pytest.mark.parametrize("task", list(Task))
def test_maps_are_pictures_between_zero_and_one(exported: Exported, task: Task) -> None:
    images, _, _ = lesions(3, seed=4)
    maps = heat_map(exported.student, images, 0, task)
    assert maps.shape == (3, SIDE, SIDE)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert maps.min() >= 0
    assert all(found.max() in (0.0, pytest.approx(1.0)) for found in maps)


def test_the_student_is_left_as_it_was(exported: Exported) -> None:
    student = exported.student
    student.requires_grad_(False)
    student.train()
    before = {key: value.clone() for key, value in student.state_dict().items()}
    try:
        heat_map(student, lesions(2, seed=4)[0], 1)
        assert student.training
        assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
        assert not any(stage._forward_hooks for stage in student.stages)
    finally:
        student.requires_grad_(True)
        student.eval()


def test_no_picture_gives_no_map(exported: Exported) -> None:
    assert heat_map(exported.student, torch.zeros(0, 1, SIDE, SIDE), 1).shape == (0, SIDE, SIDE)


def test_the_caption_says_what_a_map_is_not() -> None:
    assert "where" in CAPTION
    assert "not why" in CAPTION
