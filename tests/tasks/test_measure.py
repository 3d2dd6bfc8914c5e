"""Measuring: real figures of real networks, kept one by one, giving way to a training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.errors import RunError
from core.files import write_json
from core.measures import Setting, read_measures, setting_for, teacher_key
from core.measuring import measure_student, measure_teacher
from core.projects import Project, ProjectStore
from core.runs.events import EventWriter
from core.runs.identity import this_process
from core.runs.status import WorkerCard
from core.runs.store import RunStore
from core.students.base import build_student
from core.tasks.base import TASKS, TaskContext
from core.teachers.catalogue import find_teacher
from core.types import Stopped
from tests.tiny import SIDE, ListReporter, tiny_config, write_tiny_teacher

SETTING = Setting(
    classes=2, image_px=SIDE, cached_px=SIDE, channels=1, batch=8, method="rd",
    accelerator="cpu", threads=1, precision="auto",
)  # fmt: skip
MAPS = [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def project(tmp_path: Path, workspace: Path) -> Project:
    teacher = write_tiny_teacher(tmp_path / "teacher")
    return ProjectStore(workspace).create("Tiny", tiny_config(tmp_path / "images", teacher))


def context(project: Project, workspace: Path, reporter: ListReporter) -> TaskContext:
    request = {"project": project.id, "setting": setting_for(project).key}
    return TaskContext(request, workspace / "tasks" / "one", workspace, reporter)


@pytest.mark.parametrize("method", ["rd", "drd", "student_only"])
def test_a_student_is_measured_as_a_run_would_use_it(method: str) -> None:
    setting = Setting(**{**vars(SETTING), "method": method})
    found = measure_student("resnet10t", setting, MAPS)
    student = build_student("resnet10t", 2, SIDE)
    assert found["parameters"] == sum(part.numel() for part in student.parameters())
    assert found["grids"] == student.grid(SIDE)
    assert 0 < found["infer_ms"] < found["train_ms"] * 5
    assert 0 < found["latency_low"] <= found["latency_ms"] <= found["latency_high"]


def test_a_larger_student_computes_more() -> None:
    small, large = (
        measure_student(name, SETTING, MAPS) for name in ("mobilenetv3_small_050", "resnet18")
    )
    assert large["multiply_adds"] > 10 * small["multiply_adds"]
    assert large["megabytes"] > 10 * small["megabytes"]


def test_a_teacher_of_the_users_is_proved_by_loading_it(tmp_path: Path) -> None:
    file = write_tiny_teacher(tmp_path)
    spec = find_teacher(str(file))
    found = measure_teacher(spec, SETTING, tmp_path)
    assert found["maps"] == [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]
    assert found["feature_ms"] > 0
    file.write_bytes(b"not a network")
    changed = find_teacher(str(file))
    assert teacher_key(changed) != teacher_key(spec)
    with pytest.raises(Exception, match="M35"):
        measure_teacher(changed, SETTING, tmp_path)


def test_the_choice_comes_first_and_everything_measured_is_kept(
    project: Project, workspace: Path
) -> None:
    with pytest.raises(Stopped):  # before the third of them
        TASKS.get("measure")(context(project, workspace, ListReporter(stop_after=3)))
    known = read_measures(setting_for(project), workspace)
    assert list(known.students) == [project.config.student.name]
    assert list(known.teachers) == [teacher_key(find_teacher(project.config.teacher.name))]
    assert known.start_s > 0
    with pytest.raises(Stopped):
        TASKS.get("measure")(context(project, workspace, ListReporter(stop_after=2)))
    later = read_measures(setting_for(project), workspace)
    assert len(later.students) == 2
    assert (
        later.students[project.config.student.name] == (known.students[project.config.student.name])
    )


def test_one_bad_file_costs_one_card(project: Project, workspace: Path) -> None:
    Path(project.config.teacher.name).write_bytes(b"not a network")
    with pytest.raises(Stopped):
        TASKS.get("measure")(context(project, workspace, ListReporter(stop_after=3)))
    known = read_measures(setting_for(project), workspace)
    (teacher,) = known.teachers.values()
    assert teacher["problem"]["code"].startswith("M")
    assert known.students[project.config.student.name]["train_ms"] > 0


def test_it_gives_way_to_a_training(project: Project, workspace: Path) -> None:
    run = RunStore(workspace).create(project.config)
    with EventWriter(run, attempt=1) as writer:
        writer.lifecycle("started")
    write_json(run.worker, WorkerCard(this_process(), 1, "").to_json())
    with pytest.raises(RunError) as caught:
        TASKS.get("measure")(context(project, workspace, ListReporter()))
    assert caught.value.code == "R80"
    assert read_measures(setting_for(project), workspace).students == {}
