"""The main job from the command line: import, RD, report, export, prediction, all real."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.data.manifest import open_dataset, read_paths
from core.files import read_json, write_json
from core.runs.events import read_events
from tests.job.conftest import Desk
from tests.tiny import tiny_config


@pytest.fixture(scope="module")
def done(desk: Desk) -> dict[str, Any]:
    """A finished RD run with the student alone beside it."""
    return desk.json("run", desk.config(), "--compare")


def test_ends_with_report_export_and_figures(desk: Desk, done: dict[str, Any]) -> None:
    assert done["status"] == "completed"
    assert Path(done["report"]).is_file()
    names = {file.name for file in Path(done["export"]).iterdir()}
    assert {"model.safetensors", "model.onnx", "model.json", "README.txt"} <= names
    figure = done["metrics"]["validation/auroc"]
    assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    assert not any(name.startswith("test/") for name in done["metrics"])


def test_run_directory_is_as_the_design_says(desk: Desk, done: dict[str, Any]) -> None:
    run = desk.run(done["run"])
    for file in (run.config, run.environment, run.manifest, run.events, run.console, run.worker):
        assert file.is_file()
    kinds = [event["type"] for event in read_events(run.events)]
    assert kinds[0] == "created"
    assert kinds[-1] == "completed"
    phases = [event["name"] for event in read_events(run.events) if event["type"] == "phase"]
    order = ["import", "verify", "cost", "features", "train", "probe", "align"]
    assert list(dict.fromkeys(phases)) == [*order, "export", "evaluate"]
    assert read_json(run.alignment)["pairs"] == [[3, 3]]
    card = read_json(run.export / "model.json")
    assert card["thresholds"] == read_json(run.report / "validation.json")["thresholds"]
    assert card["teacher"]["title"] == "Tiny teacher"


def test_report_opens_offline_and_says_the_test_set_is_sealed(
    desk: Desk, done: dict[str, Any]
) -> None:
    page = Path(done["report"]).read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)\s*=\s*["'](https?:)?//""", page)
    assert "sealed" in page
    assert "Student trained alone" in page


def test_opening_the_test_set_is_counted(desk: Desk, done: dict[str, Any]) -> None:
    for times in (1, 2):
        result = desk.json("report", done["run"], "--open-test")
        assert "test/auroc" in result["metrics"]
        opened = read_json(desk.run(done["run"]).report / "test.json")["opened"]
        assert [line["run"] for line in opened] == [done["run"]] * times


def test_command_line_onnx_and_weights_agree(desk: Desk, done: dict[str, Any]) -> None:
    run = desk.run(done["run"])
    dataset = open_dataset(run.path, desk.workspace)
    paths = read_paths(dataset.folder)
    stored = pd.read_parquet(run.report / "validation.parquet").head(6)
    files = [desk.images / paths[image] for image in stored["image"]]
    by_weights = desk.json("predict", run.id, *files)["predictions"]
    by_onnx = desk.json("predict", run.export, "--onnx", *files)["predictions"]
    names = [f"p_{name}" for name in dataset.classes]
    table = stored[names].to_numpy()
    for answers in (by_weights, by_onnx):
        found = np.array([[answer[name] for name in names] for answer in answers])
        assert np.abs(found - table).max() < 1e-4
    assert read_json(run.export / "parity.json")["max_difference"] < 1e-4


def test_prediction_lists_what_it_cannot_read_and_guards_spreadsheets(
    desk: Desk, done: dict[str, Any], tmp_path: Path
) -> None:
    good = next(desk.images.rglob("*.png"))
    shutil.copy(good, tmp_path / "=cmd.png")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:200])
    file = tmp_path / "table.csv"
    answers = desk.json("predict", done["run"], tmp_path, "--csv", file)["predictions"]
    assert {answer["file"]: answer["code"] == "" for answer in answers} == {
        "=cmd.png": True,
        "cut.png": False,
    }
    assert "'=cmd.png" in file.read_text(encoding="utf-8-sig")


def test_export_copies_the_hand_over_folder(
    desk: Desk, done: dict[str, Any], tmp_path: Path
) -> None:
    desk.call("export", done["run"], tmp_path / "hand over")
    assert (tmp_path / "hand over" / "model.onnx").is_file()


def test_no_process_left_the_machine(desk: Desk, done: dict[str, Any]) -> None:
    seen = Path(f"{desk.audit}.seen").read_text(encoding="utf-8")
    assert "core.worker" in seen, "the hook was not in the worker"
    assert "multiprocessing" in seen or "spawn_main" in seen, "nor in the decoding children"
    assert not desk.audit.exists(), desk.audit.read_text(encoding="utf-8")


def test_nothing_identifying_is_written(desk: Desk, done: dict[str, Any]) -> None:
    """No patient id of the labels, no file name, in any text the run leaves behind."""
    labels = pd.read_csv(desk.images / "labels.csv")
    secrets = {str(value) for value in labels["patient_id"]} | {
        Path(name).stem for name in labels["file"]
    }
    run = desk.run(done["run"])
    texts = [run.events, run.console, run.environment, *run.path.rglob("*.json")]
    texts += [run.report / "report.html", run.export / "README.txt"]
    for file in texts:
        content = file.read_text(encoding="utf-8")
        assert not [secret for secret in secrets if secret in content], file.name


def test_list_and_delete(desk: Desk, done: dict[str, Any]) -> None:
    other = desk.json("run", desk.config("student_only", epochs=1))["run"]
    assert other in {line["run"] for line in desk.json("runs")["runs"]}
    desk.call("delete", other, "--yes")
    assert other not in {line["run"] for line in desk.json("runs")["runs"]}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"epohs": 3}, "train.epohs"),
        ({"epochs": "3"}, "train.epochs"),
        ({"epochs": 0}, "train.epochs"),
    ],
)
def test_a_wrong_setting_is_named(
    desk: Desk, tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    request = json.loads(desk.config().read_text())
    request["train"] |= change
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(request))
    said = desk.call("run", file, code=1)
    assert "[C01]" in said
    assert sentence in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("group", "change", "code"),
    [
        ("data", {"source": "/nowhere/at all"}, "I01"),
        ("teacher", {"name": "no such teacher"}, "C11"),
        ("student", {"name": "resnet9000"}, "C10"),
        ("method", {"name": "magic"}, "C12"),
        ("evaluation", {"positive_class": "purple"}, "C13"),
    ],
)
def test_a_run_that_cannot_start_says_why(
    desk: Desk, tmp_path: Path, group: str, change: dict[str, object], code: str
) -> None:
    request = json.loads(desk.config().read_text())
    request[group] |= change
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(request))
    said = desk.call("run", file, code=1)
    assert f"[{code}]" in said
    assert "Traceback" not in said


def test_a_licence_with_conditions_is_accepted_before_its_teacher_teaches(
    desk: Desk, tmp_path: Path
) -> None:
    """Refused before any feature is computed; once accepted, run, card and report say when."""
    teacher = tmp_path / "bound.safetensors"
    teacher.write_bytes(desk.teacher.read_bytes())
    spec = read_json(desk.teacher.with_suffix(".json"))["spec"]
    spec |= {"title": "Bound", "licence": "CC-BY-NC-4.0", "licence_note": "Research alone."}
    spec |= {"location": teacher.name, "name": "bound"}
    write_json(teacher.with_suffix(".json"), {"spec": spec})
    file = tmp_path / "request.json"
    file.write_text(tiny_config(desk.images, teacher, epochs=1).to_json())
    before = set((desk.workspace / "runs").glob("*/checkpoints/*"))
    said = desk.call("run", file, code=1)
    assert "[M38]" in said
    assert "was not accepted. Research alone" in " ".join(said.split())
    assert set((desk.workspace / "runs").glob("*/checkpoints/*")) == before
    desk.call("accept", teacher, "--yes")
    run = desk.run(desk.json("run", file)["run"])
    day = read_json(run.path / "teacher.json")["licence_accepted"]
    assert day
    assert read_json(run.export / "model.json")["teacher"]["licence_accepted"] == day
    assert "CC-BY-NC-4.0" in (run.report / "report.html").read_text(encoding="utf-8")
