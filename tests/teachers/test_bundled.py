"""What ships in assets/teachers: whole, small, described, and free of the evaluation images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.config import DataSettings, PixelSettings
from core.data.checks import overlap
from core.data.scan import import_dataset
from core.demo import demo_config
from core.files import read_json, sha256_file
from core.students.base import build_student
from core.students.cost import measure_module
from core.teachers.catalogue import card_hashes, list_teachers
from core.teachers.checkpoint import load_teacher
from core.teachers.spec import BUNDLED, TeacherSpec
from core.types import SilentReporter

SPECS = [spec for spec in list_teachers() if spec.source == "bundled"]
EVALUATION = ("busi_256", "brain_mri_4class_224")  # for measuring, never for pre-training


def test_there_is_one_and_it_is_the_default() -> None:
    assert demo_config().teacher.name in {spec.name for spec in SPECS}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.name))
def test_file_is_whole_small_and_loads(spec: TeacherSpec, tmp_path: Path) -> None:
    file = BUNDLED / spec.location
    assert sha256_file(file) == spec.sha256
    assert file.stat().st_size <= 10_000_000
    maps = load_teacher(spec, tmp_path)(torch.rand(1, 1, spec.image_px, spec.image_px))
    assert len(maps) == len(spec.taps)
    assert all(torch.isfinite(found).all() for found in maps)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.name))
def test_card_lists_every_image_licence_and_recipe(spec: TeacherSpec) -> None:
    card = read_json(BUNDLED / f"{spec.name}.json")
    files, looks = card_hashes(spec)
    assert len(files) == len(looks) == sum(data["images"] for data in card["data"])
    assert files or card["made_pictures"]["count"] > 0
    assert all(len(sha256) == 64 for sha256 in files)
    assert all(data["licence"] for data in card["data"])
    assert {"seed", "epochs", "losses", "optimiser"} <= card["recipe"].keys()


def test_the_teacher_computes_at_least_five_times_the_demo_student(tmp_path: Path) -> None:
    config = demo_config()
    teacher = load_teacher(next(s for s in SPECS if s.name == config.teacher.name), tmp_path)
    student = build_student(config.student.name, 2, config.student.image_px)
    costs = [
        measure_module(module, torch.zeros(1, 3, side, side)).multiply_adds
        for module, side in (
            (teacher, teacher.spec.image_px),
            (student, config.student.image_px),
        )
    ]
    assert costs[0] >= 5 * costs[1]


@pytest.mark.realdata
@pytest.mark.parametrize("name", EVALUATION)
def test_no_evaluation_image_stands_in_a_card(name: str, real_data: Path, workspace: Path) -> None:
    settings = DataSettings(
        source=str(real_data / "folders" / name), pixels=PixelSettings(size_px=64)
    )
    images = import_dataset(settings, workspace, SilentReporter()).images
    for spec in SPECS:
        found = overlap(images[images["sha256"] != ""], *card_hashes(spec))
        assert (found.images, found.near) == (0, 0), found.sentence


@pytest.mark.realdata
def test_the_check_sees_images_that_are_in_a_card(real_data: Path, workspace: Path) -> None:
    settings = DataSettings(
        source=str(real_data / "multilabel" / "bccd"),
        label_columns=("RBC", "WBC", "Platelets"),
        pixels=PixelSettings(size_px=64),
    )
    images = import_dataset(settings, workspace, SilentReporter()).usable()
    spec = next(spec for spec in SPECS if spec.name == "bedside-r10")
    assert overlap(images, *card_hashes(spec)).images == len(images)
