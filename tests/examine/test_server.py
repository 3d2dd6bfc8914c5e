"""The server's side: one child, restarted when it ends; private results; routes that check."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.desk import Desk, clean_path
from app.examiner import Examinations, Examiner, purge
from app.observe import Observer
from app.review import figures_of, review, split_counts
from core.errors import BedsideError, DataError, RunError
from core.files import read_json, write_json
from core.runs.layout import RunFolder, new_run_id
from core.runs.seal import openings, record_opening
from core.tasks.base import TASKS, TaskContext
from core.tasks.store import TaskStore
from core.types import SilentReporter, SplitName
from tests.examine.conftest import Finished

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs signals")


@pytest.fixture(scope="module")
def desk(finished: Finished) -> Iterator[Desk]:
    made = Desk(Observer(finished.workspace))
    yield made
    made.examiner.close()


def test_pictures_are_looked_at_and_kept_privately(finished: Finished, desk: Desk) -> None:
    file = sorted(finished.images.glob("*.png"))[0]
    facts = desk.examine(finished.run.id, "new", file.name, path=str(file))
    assert facts["code"] == ""
    folder = desk.examinations.file(facts["id"], "view.bin").parent
    if os.name == "posix":
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert str(finished.images) not in "".join(part.read_text() for part in folder.glob("*.json"))
    assert [known["id"] for known in desk.examinations.of_run(finished.run.id, "new")] == [
        facts["id"]
    ]
    assert (finished.run.path / "examined").exists()
    assert file.name not in (finished.workspace / "examiner.log").read_text()


def test_the_child_says_what_is_wrong_and_goes_on(finished: Finished, desk: Desk) -> None:
    child = desk.examiner._ready()
    with pytest.raises(BedsideError) as said:
        desk.examiner.ask({"do": "open", "run": "20200101-000000-nothing-0000"})
    assert said.value.code == "R01"
    with pytest.raises(BedsideError) as said:
        desk.examiner.ask({"do": "nonsense"})
    assert said.value.code == "R99"
    assert desk.examiner._ready() is child


@posix_only
def test_a_child_that_dies_costs_one_picture(finished: Finished, desk: Desk) -> None:
    file = sorted(finished.images.glob("*.png"))[1]
    child = desk.examiner._ready()
    desk.examiner.ask({"do": "open", "run": finished.run.id})
    os.kill(child.process.pid, signal.SIGSTOP)  # so that it dies over the picture, not before
    killer = threading.Timer(0.5, os.kill, (child.process.pid, signal.SIGKILL))
    killer.start()
    lost = desk.examine(finished.run.id, "new", file.name, path=str(file))
    assert lost["code"] == "R63"
    assert lost["name"] == file.name
    again = desk.examine(finished.run.id, "new", file.name, path=str(file))
    assert again["code"] == ""
    listed = desk.examinations.of_run(finished.run.id, "new")
    assert [facts["code"] for facts in listed[-2:]] == ["R63", ""]
    assert desk.examiner._ready() is not child


def test_a_child_that_ended_for_want_of_work_is_started_again(
    finished: Finished, desk: Desk
) -> None:
    child = desk.examiner._ready()
    assert child.process.stdin is not None
    child.process.stdin.close()  # as when the server is gone: it ends by itself
    assert child.process.wait(60) == 0
    told = desk.examiner.ask({"do": "open", "run": finished.run.id})
    assert told["teacher"]


def test_a_child_that_takes_too_long_is_ended(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.examiner.PATIENCE_S", 0.2)  # it needs longer to load torch
    examiner = Examiner(finished.workspace)
    try:
        with pytest.raises(BedsideError) as said:
            examiner.ask({"do": "open", "run": finished.run.id})
        assert said.value.code == "E41"
        assert examiner._child is not None
        examiner._child.process.wait(10)
    finally:
        examiner.close()


def test_ids_are_never_paths(finished: Finished, desk: Desk, tmp_path: Path) -> None:
    secret = finished.workspace / "examinations" / "secret"
    secret.mkdir(parents=True, exist_ok=True)
    write_json(secret / "facts.json", {"run": "x"})
    write_json(secret / "shown.json", {"run": "x", "kind": "new"})
    for name in ("secret", "../server.key", "..", "", "20260101T000000000000-../../../x"):
        with pytest.raises(RunError, match="R64"):
            desk.examinations.facts(name)
        with pytest.raises(RunError, match="R64"):
            desk.examinations.file(name, "facts.json")
    with pytest.raises(RunError, match="R01"):
        desk.run("../" + finished.run.id)
    with pytest.raises(RunError, match="R40"):
        desk.table("../tasks", "request.json")


def test_purge_leaves_nothing(tmp_path: Path) -> None:
    examinations = Examinations(tmp_path)
    folder = examinations.begin({"run": "r", "kind": "new", "name": "a.png"}, {})
    write_json(folder / "facts.json", {"run": "r"})
    assert len(examinations.of_run("r", "new")) == 1
    purge(tmp_path)
    assert not (tmp_path / "examinations").exists()
    assert examinations.of_run("r", "new") == []
    purge(tmp_path)


def test_pasted_paths_are_understood_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "ä b's.png"
    file.touch()
    for given in (str(file), f'"{file}"', f"  '{file}' "):
        assert clean_path(given) == file
    for given in ("", "  ", '""'):
        with pytest.raises(DataError, match="I51"):
            clean_path(given)
    for given in ("images", str(tmp_path / "none"), "/a\0b", "/" + "x" * 5000):
        with pytest.raises(DataError, match="I50"):
            clean_path(given)


def run_task(finished: Finished, kind: str, request: dict[str, Any]) -> dict[str, Any]:
    """Work on a task here rather than in a process of its own; returns its id and result."""
    folder = RunFolder(TaskStore(finished.workspace).folder / new_run_id(kind, datetime.now()))
    folder.path.mkdir()
    write_json(folder.path / "request.json", {"kind": kind, "request": request})
    context = TaskContext(request, folder.path, finished.workspace, SilentReporter())
    return {"id": folder.id} | TASKS.get(kind)(context)


def test_a_folder_becomes_a_table_that_can_be_forgotten(
    finished: Finished, desk: Desk, tmp_path: Path
) -> None:
    for number, file in enumerate(sorted(finished.images.glob("*.png"))[:3]):
        (tmp_path / f"=cmd{number}.png").write_bytes(file.read_bytes())
    (tmp_path / "bad.png").write_text("nothing")
    request = {"run": finished.run.id, "path": str(tmp_path)}
    done = run_task(finished, "predict", request)
    task = done.pop("id")
    assert done == {"files": 4, "done": 4, "unread": 1, "stopped": False}
    table = read_json(desk.table(task, "table.json"))
    assert table["columns"][:5] == ["file", "code", "reason", "p_irregular", "p_round"]
    assert [row[1] for row in table["data"]] == ["", "", "", "P01"]
    assert np.isfinite(np.array([row[3:5] for row in table["data"][:3]], float)).all()
    assert "'=cmd0.png," in desk.table(task, "predictions.csv").read_text(encoding="utf-8-sig")
    assert desk.describe(finished.run.id)["table"] == task
    desk.forget_table(task)
    assert desk.describe(finished.run.id)["table"] is None
    with pytest.raises(RunError, match="R40"):
        desk.table(task, "table.json")


def test_an_empty_folder_is_said(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="R62"):
        run_task(finished, "predict", {"run": finished.run.id, "path": str(tmp_path)})


def test_the_review_agrees_with_the_figures(finished: Finished) -> None:
    found = review(finished.run)
    figures, images = found["figures"], found["images"]
    counts = np.zeros((2, 2), int)
    for (truth,), (said,) in zip(images["truth"], images["said"], strict=True):
        counts[truth, said] += 1
    assert counts.tolist() == figures["confusion"][0]["counts"]
    wrong = [truth != said for truth, said in zip(images["truth"], images["said"], strict=True)]
    assert 0 < sum(wrong) < len(wrong) == figures["images"]
    assert found["teacher"][0]["name"] == figures["positive"]
    assert 0 <= found["teacher"][0]["auroc"] <= 1
    sure = np.array(images["sure"])
    assert sure.shape == (len(wrong), 1)
    assert (sure >= 0).all()
    assert (sure <= 1).all()


def test_the_seal_is_counted_without_a_look(finished: Finished, desk: Desk) -> None:
    sealed = desk.sealed(finished.run.id)
    assert sealed["openings"] == []
    assert sealed["test"] is None
    assert sealed["counts"]["images"] > 0
    assert sealed["counts"] == split_counts(finished.run)
    with pytest.raises(RunError, match="R69"):
        desk.open_test(finished.run.id, understood=False)
    ledger = finished.workspace / "test_openings.jsonl"
    try:
        record_opening(finished.run)
        with ledger.open("a", encoding="utf-8") as opened:
            opened.write('{"ts": "x", "run": "y", "split_sha256": "another"}\n{"torn')
        assert [line["run"] for line in openings(finished.run)] == [finished.run.id]
        assert desk.sealed(finished.run.id)["openings"][0]["run"] == finished.run.id
    finally:
        ledger.unlink()


def test_opening_gives_figures_and_is_counted(finished: Finished, desk: Desk) -> None:
    done = run_task(finished, "open_test", {"run": finished.run.id})
    assert done["openings"] == 1
    sealed = desk.sealed(finished.run.id)
    test = figures_of(finished.run, SplitName.TEST)
    assert sealed["test"] == test
    assert test is not None
    assert test["thresholds"] == sealed["validation"]["thresholds"]
    assert test["images"] == sealed["counts"]["images"]
    assert len(sealed["openings"]) == 1
    assert (finished.run.report / "report.html").is_file()
