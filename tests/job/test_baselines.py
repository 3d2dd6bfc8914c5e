"""A baseline from its request to its report, by the same worker as RD."""

from __future__ import annotations

import json

from core.files import read_json
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
