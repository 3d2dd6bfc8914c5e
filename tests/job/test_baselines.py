"""A baseline from its request to its report, by the same worker as RD."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from core.files import read_json, sha256_file
from core.inference.examination import OpenedRun, tensor_of
from tests.job.conftest import Desk


def test_a_student_taught_by_the_probe_is_reported_with_it(desk: Desk) -> None:
    run = desk.run(desk.json("run", desk.config("kd", epochs=1))["run"])
    events = [json.loads(line) for line in run.events.read_text().splitlines()]
    curves = {event["name"] for event in events if event["type"] == "metric"}
    assert {"loss/task", "loss/kd", "cka/teacher"} <= curves
    assert "cka/reprogrammed" not in curves
    phases = [event["name"] for event in events if event["type"] == "phase"]
    assert phases.index("features") < phases.index("probe") < phases.index("train")
    assert phases.count("probe") == 1
    assert 0 <= read_json(run.path / "teacher.json")["probe"]["cross_validated"] <= 1
    report = (run.report / "report.html").read_text(encoding="utf-8")
    assert "Knowledge Distillation" in report
    assert "student against the teacher&#39;s probe" in report


def test_a_method_that_the_labels_do_not_allow_ends_before_the_teacher_is_asked(
    desk: Desk,
) -> None:
    said = desk.call("run", desk.config("dist", epochs=1), code=1)
    assert "[C18]" in " ".join(said.split())


def test_a_teacher_fitted_to_the_labels_is_the_one_that_is_asked(desk: Desk) -> None:
    run = desk.run(desk.json("run", desk.config("lora_kd", epochs=1))["run"])
    events = [json.loads(line) for line in run.events.read_text().splitlines()]
    phases = [event["name"] for event in events if event["type"] == "phase"]
    assert phases.index("adapt") < phases.index("features") < phases.index("train")
    assert read_json(run.path / "teacher.json")["adapter"] == sha256_file(run.adapter)
    said = OpenedRun.open(run)
    assert said.teacher is not None
    assert said.teacher[0].spec.adapter == sha256_file(run.adapter)
    image = said.examples(1)[0]
    shown = tensor_of(said.validation_image(image).pixels)
    table = pd.read_parquet(run.report / "validation.parquet").set_index("image")
    kept = [table.loc[image, f"teacher_{name}"] for name in said.dataset.classes]
    assert said.judge(shown).teacher == pytest.approx(kept, abs=1e-4)
    assert "LoRA" in (run.report / "report.html").read_text(encoding="utf-8")
