"""The small commands: what they say to people and to machines."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest

from core.benchmarks.base import BENCHMARKS
from core.config import parse_config
from core.students.spec import STUDENTS
from tests.job.conftest import Desk


def test_check_says_that_nothing_leaves(desk: Desk) -> None:
    facts = desk.json("check")
    assert facts["connections"]["attempts"] == {}
    assert facts["connections"]["watched"]["command"] >= 1
    assert "cpu" in facts["devices"]
    assert {"torch", "timm", "pydicom"} <= facts["environment"]["packages"].keys()


def test_config_writes_one_that_can_be_used(desk: Desk, tmp_path: Path) -> None:
    desk.call("config", "demo", tmp_path / "my.json")
    written = (tmp_path / "my.json").read_text(encoding="utf-8")
    said = desk.call("config", "demo")  # the reasons, which go to standard error, come first
    assert parse_config(written) == parse_config(said[said.index("{") :])
    assert "train.augment" in said


def test_teachers_and_their_licences_are_listed(desk: Desk) -> None:
    listed = desk.json("teachers")["teachers"]
    assert "bedside-r10" in {teacher["name"] for teacher in listed}
    assert all(teacher["licence"] and teacher["licence_note"] for teacher in listed)


def test_students_are_listed_with_measured_costs(desk: Desk) -> None:
    costs = desk.json("students", "--image-px", 64)["students"]
    assert list(costs) == STUDENTS.names()
    assert all(cost["latency_ms"] > 0 for cost in costs.values())


def test_pretrain_makes_a_teacher_that_a_run_can_use(desk: Desk, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(
        '{"settings": {"name": "mine", "title": "Mine", "train_px": 32, "image_px": 32, '
        '"epochs": 1, "batch": 12}, "lessons": [{"title": "a", "licence": "b", '
        f'"data": {{"source": "{desk.images.name}", "pixels": {{"size_px": 32}}}}}}]}}'
    )
    target = tmp_path / "teachers"
    made = desk.json("pretrain", desk.images.parent, "--recipe", recipe, "--to", target)
    config = parse_config(desk.config(epochs=1).read_text())
    mine = config.teacher.model_copy(update={"name": made["teacher"]})
    file = tmp_path / "run.json"
    file.write_text(config.model_copy(update={"teacher": mine}).to_json())
    said = desk.call("run", file)
    assert "T12" in said, "the teacher has seen these very images, and nobody was told"
    overlap = "images are in the teacher's training data"
    assert any(
        overlap in unescape(page.read_text(encoding="utf-8"))
        for page in (desk.workspace / "runs").glob("*/report/report.html")
    )


@pytest.mark.parametrize("name", BENCHMARKS.names())
def test_every_benchmark_is_offered(desk: Desk, name: str) -> None:
    assert name in desk.call("bench", "--help")


def test_an_unknown_benchmark_is_named(desk: Desk) -> None:
    assert "[C10]" in desk.call("bench", "patience", code=1)
