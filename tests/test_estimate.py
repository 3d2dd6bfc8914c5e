"""The estimate: right sums, and the very store of features that a run would use."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.config import RunConfig
from core.config_method import MethodSettings
from core.data.cache import PixelCache
from core.data.manifest import save_manifest
from core.estimate import STARTS, Images, estimate, read_images
from core.measures import Measures, Setting, read_measures, setting_for, teacher_key, write_measures
from core.projects import ProjectStore
from core.students.base import build_student
from core.teachers.catalogue import find_teacher
from core.teachers.checkpoint import load_teacher
from core.teachers.room import RESERVE
from core.teachers.spec import TeacherSpec
from core.training.session import Places, prepare
from core.types import SilentReporter
from tests.tiny import SIDE, tiny_config, tiny_dataset, write_images, write_tiny_teacher

GRIDS = [[8, 8], [4, 4], [2, 2], [1, 1]]
MAPS = [[64, 16, 16], [128, 8, 8], [256, 4, 4], [512, 2, 2]]
STUDENT = {"train_ms": 10.0, "infer_ms": 2.0, "parameters": 1_000_000, "megabytes": 4.0,
           "multiply_adds": 100, "grids": GRIDS}  # fmt: skip
TEACHER = {"feature_ms": 20.0, "maps": MAPS, "multiply_adds": 50}
IMAGES = Images("sha", tuple(f"t{n}" for n in range(100)), tuple(f"v{n}" for n in range(10)))


@pytest.fixture
def spec(tmp_path: Path) -> TeacherSpec:
    return find_teacher(str(write_tiny_teacher(tmp_path / "teacher")))


@pytest.fixture
def config(tmp_path: Path, spec: TeacherSpec) -> RunConfig:
    return tiny_config(tmp_path / "images", Path(spec.location), epochs=5)


def known(spec: TeacherSpec) -> Measures:
    return Measures(3.0, 0.0, {"resnet10t": STUDENT}, {teacher_key(spec): TEACHER})


def test_time_is_the_sum_of_its_parts(
    config: RunConfig, spec: TeacherSpec, workspace: Path
) -> None:
    found = estimate(config, IMAGES, known(spec), spec, workspace)
    assert found is not None
    shown = 100 // 8 * 8  # the last, smaller batch of an epoch is left out
    assert found.seconds["training"] == pytest.approx(5 * (shown * 10 + 10 * 2) / 1000)
    assert found.seconds["features"] == pytest.approx((2 * 100 + 10) * 20 / 1000)
    assert found.seconds["rest"] == STARTS * 3.0
    assert (found.views, found.kept, found.fits) == (2, False, True)


def test_disk_is_what_the_store_will_take(
    config: RunConfig, spec: TeacherSpec, workspace: Path
) -> None:
    found = estimate(config, IMAGES, known(spec), spec, workspace)
    assert found is not None
    per_image = 2 * 512 * 1 * 1  # bfloat16; the last tap, averaged down to the student's 1 x 1
    assert found.bytes["features"] == per_image * (2 * 100 + 10)
    assert found.bytes["checkpoints"] == pytest.approx(3 * 3 * 4 * 1e6, rel=0.15)
    assert found.bytes["export"] == 8_000_000


def test_the_deep_form_keeps_every_stage(
    config: RunConfig, spec: TeacherSpec, workspace: Path
) -> None:
    deep = config.model_copy(update={"method": config.method.model_copy(update={"name": "drd"})})
    found = estimate(deep, IMAGES, known(spec), spec, workspace)
    assert found is not None
    cells = 64 * 64 + 128 * 16 + 256 * 4 + 512
    assert found.bytes["features"] == 2 * cells * 210


def test_without_a_teacher_it_costs_nothing(
    config: RunConfig, spec: TeacherSpec, workspace: Path
) -> None:
    method = config.method.model_copy(update={"name": "student_only"})
    alone = config.model_copy(update={"method": method})
    nobody = replace(known(spec), teachers={})
    found = estimate(alone, IMAGES, nobody, spec, workspace)
    assert found is not None
    assert found.seconds["features"] == found.bytes["features"] == 0
    assert estimate(config, IMAGES, nobody, spec, workspace) is None


def test_what_is_not_measured_is_not_guessed(
    config: RunConfig, spec: TeacherSpec, workspace: Path
) -> None:
    assert estimate(config, IMAGES, Measures(0, 0, {}, {}), spec, workspace) is None
    failed = replace(known(spec), students={"resnet10t": {"problem": {"code": "C30"}}})
    assert estimate(config, IMAGES, failed, spec, workspace) is None


@pytest.mark.parametrize(
    ("room", "views", "fits"), [(1024 * 110, 1, True), (1024 * 10, 0, True), (-RESERVE, 0, False)]
)
def test_a_small_disk_is_said_before(
    config: RunConfig, spec: TeacherSpec, workspace: Path, monkeypatch: pytest.MonkeyPatch,
    room: int, views: int, fits: bool,
) -> None:  # fmt: skip
    usage = shutil.disk_usage(workspace)._replace(free=RESERVE + room)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    found = estimate(config, IMAGES, known(spec), spec, workspace)
    assert found is not None
    assert (found.views, found.fits) == (views, fits)
    if views == 0:  # the teacher is asked in every pass
        assert found.seconds["features"] == pytest.approx(5 * (96 + 10) * 20 / 1000)


@pytest.mark.parametrize("method", ["rd", "drd"])
def test_features_that_a_run_has_left_are_found_again(
    method: str, tmp_path: Path, workspace: Path
) -> None:
    torch.set_num_threads(1)
    images, file = write_images(tmp_path / "images"), write_tiny_teacher(tmp_path / "teacher")
    config = tiny_config(images, file)
    dataset, spec = tiny_dataset(config, workspace), find_teacher(str(file))
    project = ProjectStore(workspace).create("Tiny", config)
    save_manifest(dataset, project.folder)
    teacher = load_teacher(spec, workspace)
    student = build_student("resnet10t", len(dataset.classes), SIDE)
    facts = STUDENT | {"grids": student.grid(SIDE)}
    measured = Measures(
        1.0,
        0.0,
        {"resnet10t": facts},
        {teacher_key(spec): TEACHER | {"maps": teacher.map_shapes()}},
    )
    before = estimate(config, read_images(project), measured, spec, workspace)
    home = tmp_path / "run"
    places = Places(
        workspace / "features", home, home / "device.json", home / "views.json", home / "probe",
        home / "adapter",
    )  # fmt: skip
    left = config.model_copy(update={"method": MethodSettings(name=method)})
    prepare(left, dataset, PixelCache(dataset.folder), teacher, places, SilentReporter())
    after = estimate(config, read_images(project), measured, spec, workspace)
    assert before is not None
    assert after is not None
    assert (before.kept, after.kept) == (False, True)
    assert before.seconds["features"] > 0 == after.seconds["features"]
    written = sum(file.stat().st_size for file in (workspace / "features").rglob("*.bin"))
    assert (before.bytes["features"] == written) == (method == "rd")  # drd leaves more


def test_measures_are_kept_for_one_setting_alone(tmp_path: Path, workspace: Path) -> None:
    config = tiny_config(tmp_path, tmp_path)
    project = ProjectStore(workspace).create("Tiny", config)
    setting = setting_for(project)
    assert read_measures(setting, workspace) == Measures(0.0, 0.0, {}, {})
    measured = Measures(2.0, 0.5, {"resnet10t": STUDENT}, {})
    write_measures(measured, setting, workspace)
    assert read_measures(setting, workspace) == measured
    for change in ({"image_px": 64}, {"classes": 3}, {"threads": 9}, {"batch": 3}):
        other = Setting(**{**vars(setting), **change})
        assert read_measures(other, workspace).students == {}
    next((workspace / "machine").iterdir()).write_text("{ torn")
    assert read_measures(setting, workspace).students == {}
