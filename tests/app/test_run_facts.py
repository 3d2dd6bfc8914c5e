"""What the Train page is told of runs besides their curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.beside_facts import compare_runs, require_possible
from app.fields import open_settings
from app.observe import Observer
from app.run_facts import RunFacts, run_log
from app.text import train as text
from core.config import DataSettings, RunConfig
from core.errors import ConfigError
from core.files import read_json, write_json
from core.objectives.methods import METHODS
from core.projects import ProjectStore
from core.runs.companion import companion_file, companion_request
from core.runs.events import EventWriter
from core.runs.layout import RunFolder

CONFIG = RunConfig(name="lesions", data=DataSettings(source="demo"))


@pytest.fixture
def observer(workspace: Path) -> Observer:
    ProjectStore(workspace).for_source("demo")
    return Observer(workspace)


def finished(observer: Observer, config: RunConfig = CONFIG, auroc: float = 0.9) -> RunFolder:
    run = observer.runs.create(config)
    with EventWriter(run, attempt=1) as writer:
        writer.lifecycle("started", device="cpu")
        writer.phase("train", "Training")
        writer.metric("loss", 1.0, step=0, epoch=0.1)
        writer.checkpoint(1, "best")
        writer.alert("warning", "T12", "The teacher has seen an image")
        writer.lifecycle("completed", seconds=1.0)
    figure = {"value": auroc, "low": auroc - 0.1, "high": auroc + 0.05, "note": ""}
    facts = {"images": 40, "patients": 20, "positive": "lesion", "task": "multiclass"}
    more = {"confidence": 0.95, "class_patients": {"lesion": 10}, "figures": {"auroc": figure}}
    write_json(run.report / "validation.json", facts | more)
    write_json(run.path / "inputs.json", {"images, labels or patients": "x", "teacher": "t"})
    write_json(run.path / "split.json", {"sha256": "s"})
    observer.forget()
    return run


def test_the_list_tells_the_projects_runs_from_others(observer: Observer) -> None:
    own = finished(observer)
    other = finished(observer, RunConfig(name="else", data=DataSettings(source="/elsewhere")))
    lines = {line["id"]: line for line in RunFacts(observer).list()}
    assert (lines[own.id]["own"], lines[other.id]["own"]) == (True, False)
    assert lines[own.id]["status"] == "completed"
    assert lines[own.id]["auroc"]["value"] == 0.9
    assert lines[own.id]["bytes"] > 0
    assert lines[own.id]["student"] == "ResNet-18"
    assert not lines[own.id]["alone"]


def test_a_line_follows_what_changes(observer: Observer) -> None:
    run = finished(observer)
    facts = RunFacts(observer)
    assert facts.list()[0]["report"] is False
    (run.report / "report.html").write_text("x")
    observer.forget()
    assert facts.list()[0]["report"] is True
    observer.runs.delete(run.id)
    observer.forget()
    assert facts.list() == []


def test_a_damaged_request_is_a_sentence(observer: Observer) -> None:
    run = finished(observer)
    run.config.write_text("{}")
    observer.forget()
    facts = RunFacts(observer)
    assert "C01" in facts.list()[0]["problem"]
    assert "C01" in facts.one(observer.run(run.id))["problem"]


def test_one_run_in_words(observer: Observer) -> None:
    found = RunFacts(observer).one(finished(observer))
    assert found["passes"] == 30
    assert "ranks an image of" in found["sentence"]
    assert found["command"].startswith("python launch.py run ")
    assert (found["companion"], found["origin"]) == (None, None)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.02, 0.08, "not more than chance on these images"),
        (0.01, 0.09, "more than chance on these images; Reprogramming Distillation is better"),
        (-0.09, -0.01, "more than chance on these images; Student only is better"),
    ],
)
def test_the_comparison_is_honest(observer: Observer, low: float, high: float, said: str) -> None:
    run, alone = finished(observer), finished(observer, companion_request(CONFIG), 0.85)
    facts = RunFacts(observer)
    before = facts.one(run)["companion"]
    assert (before["id"], before["complete"]) == (alone.id, True)
    assert yardstick(facts, run)["verdict"] == ""
    paired = {"value": 0.05, "low": low, "high": high, "note": ""}
    own = read_json(alone.report / "validation.json")
    companion = {"run": alone.id, "difference": {"validation": paired}, "validation": own}
    write_json(companion_file(run), companion)
    found = yardstick(facts, run)["verdict"]
    assert found.startswith(
        "Reprogramming Distillation 0.90, Student only 0.85; difference +0.05 (95\u202f% interval "
    )
    assert said in found
    assert facts.one(alone)["companion"] is None
    for first, second in ((run, alone), (alone, run)):
        beside = compare_runs(first, second)
        assert beside["note"] == found
        assert len(beside["settings"]) == 1
    assert compare_runs(run, alone)["settings"] == [
        ["Method: Name", "Reprogramming Distillation", "Student only"]
    ]


def yardstick(facts: RunFacts, run: RunFolder) -> dict[str, Any]:
    """The student-only line of the methods beside a run."""
    return next(each for each in facts.one(run)["methods"] if each["id"] == "student_only")


def test_every_other_method_is_offered_with_its_run(observer: Observer) -> None:
    run = finished(observer)
    deep = observer.runs.create(companion_request(CONFIG, "drd"))  # begun, without images yet
    other = CONFIG.model_copy(update={"teacher": CONFIG.teacher.model_copy(update={"views": 3})})
    finished(observer, companion_request(other, "drd"))  # more than the method differs
    observer.forget()
    found = RunFacts(observer).one(run)["methods"]
    assert [each["id"] for each in found] == [name for name in METHODS if name != "rd"]
    assert all(each["title"] and each["about"] for each in found)
    beside = {each["id"]: each["run"] for each in found if each["run"]}
    assert {name: each["id"] for name, each in beside.items()} == {"drd": deep.id}
    assert not beside["drd"]["complete"]


def test_a_method_that_the_labels_rule_out_says_why(observer: Observer) -> None:
    run = finished(observer)
    refused = {each["id"]: each["refusal"] for each in RunFacts(observer).one(run)["methods"]}
    assert set(refused.values()) == {""}  # nothing is known of the labels yet
    for classes, said in ((["a", "b"], "these images have 2 classes."), (["a", "b", "c"], "")):
        write_json(run.path / "dataset.json", {"task": "multiclass", "classes": classes})
        methods = {each["id"]: each for each in RunFacts(observer).one(run)["methods"]}
        assert methods["dist"]["refusal"].endswith(said)
        assert bool(methods["dist"]["refusal"]) == bool(said)
        assert methods["kd"]["refusal"] == ""
    write_json(run.path / "dataset.json", {"task": "multiclass", "classes": ["a", "b"]})
    with pytest.raises(ConfigError) as caught:
        require_possible(run, "dist")
    assert caught.value.code == "C18"


def test_stages_are_given_in_figures_and_words(observer: Observer) -> None:
    run = finished(observer)
    facts = RunFacts(observer)
    assert facts.one(run)["stages"] is None
    table = {"before": [[0.1]], "after": [[0.5]], "images": 12, "pairs": [[0, 0]]}
    write_json(run.alignment, table)
    assert "rose from 0.10 to 0.50" in facts.one(run)["stages"]["words"]


def test_runs_on_other_images_are_not_compared(observer: Observer) -> None:
    run, other = finished(observer), finished(observer)
    assert compare_runs(run, other)["note"] == text.UNPAIRED
    write_json(other.path / "split.json", {"sha256": "another"})
    assert compare_runs(run, other)["note"] == text.OTHER_IMAGES


def test_the_log_is_in_words(observer: Observer) -> None:
    run = finished(observer)
    run.console.write_text("first\nlast\n")
    found = run_log(run)
    said = [event["text"] for event in found["events"]]
    assert said[0] == "Asked for"
    assert "Started: cpu" in said
    assert "Saved after step 1, the best so far" in said
    assert said[-1] == "Complete"
    assert not any("loss" in line for line in said)
    assert [event["code"] for event in found["alerts"]] == ["T12"]
    assert found["console"] == "first\nlast"


def test_a_run_without_anything_has_an_empty_log(workspace: Path) -> None:
    found = run_log(RunFolder(workspace / "none"))
    assert found == {"events": [], "alerts": [], "console": ""}


def test_every_setting_is_in_the_form_or_chosen_elsewhere() -> None:
    groups = set(RunConfig.model_fields) - {"schema_version", "name", "data", "split"}
    assert set(text.GROUPS) == groups
    drawn = {path for group in groups for path in open_settings(group)}
    assert drawn >= text.ELSEWHERE
    left_out = {
        f"{group}.{name}"
        for group in groups
        for name in getattr(CONFIG, group).model_dump()
        if f"{group}.{name}" not in drawn
    }
    assert not left_out
