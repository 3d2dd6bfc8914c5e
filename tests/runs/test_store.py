"""Runs of a workspace: created whole, listed truly, found by a few letters, deleted with care."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest

from core.config import RunConfig, load_config
from core.errors import RunError, SystemError_
from core.runs.events import read_events
from core.runs.layout import RunFolder, is_run_id, new_run_id
from core.runs.status import RunStatus, status
from core.runs.store import RunStore, disk_used

NOON = datetime(2026, 3, 4, 12, 0, 5)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Brüste, klein", "bruste-klein"),
        ("../../etc/passwd", "etc-passwd"),
        ("超音波", "run"),
        ("CON", "con"),
        ("x" * 60, "x" * 30),
        ("a" * 29 + " b", "a" * 29),
    ],
)
def test_id_grammar(name: str, slug: str) -> None:
    made = new_run_id(name, NOON)
    assert made.startswith(f"20260304-120005-{slug}-")
    assert is_run_id(made)


@pytest.mark.parametrize(
    "name",
    ["", "..", "20260304-120005-a", "20260304-120005-a-12g4", "20269904-120005-a-1234",
     "20260304-120005-a/b-1234", "20260304-120005-A-1234", "20260304-120005-a-1234\n"],
)  # fmt: skip
def test_what_is_no_id(name: str) -> None:
    assert not is_run_id(name)


def test_created_run_is_whole(store: RunStore, config: RunConfig) -> None:
    run = store.create(config)
    assert load_config(run.config) == config
    assert [event["type"] for event in read_events(run.events)] == ["created"]
    assert {path.name for path in store.folder.iterdir()} == {run.id}
    assert run.path.stat().st_mode & 0o777 == 0o700
    assert disk_used(run) == run.config.stat().st_size + run.events.stat().st_size


def test_list_newest_first_and_without_strangers(store: RunStore, config: RunConfig) -> None:
    runs = [store.create(config) for _ in range(20)]
    (store.folder / ".new-abc").mkdir()
    (store.folder / "notes.txt").touch()
    listed = store.list()
    assert [summary.id for summary in listed] == sorted((run.id for run in runs), reverse=True)
    assert {(summary.name, summary.status, summary.method) for summary in listed} == {
        ("Brüste, klein", RunStatus.CREATED, "rd")
    }


@pytest.mark.parametrize("content", ["", "{}", '{"schema_version": 99}', "\0"])
def test_run_with_a_damaged_request_is_listed_with_its_problem(
    store: RunStore, config: RunConfig, content: str
) -> None:
    run = store.create(config)
    run.config.write_text(content)
    (summary,) = store.list()
    assert summary.name == run.id
    assert "C01" in summary.problem


def test_open_by_id_prefix_or_path(store: RunStore, config: RunConfig, tmp_path: Path) -> None:
    run = store.create(config)
    copy = Path(shutil.copytree(run.path, tmp_path / "elsewhere" / run.id))
    assert store.open(run.id) == run
    assert store.open(run.id[:12]) == run
    assert store.open(str(copy)) == RunFolder(copy)
    store.create(config)
    with pytest.raises(RunError, match=r"R02.*2 runs"):
        store.open("2")


@pytest.mark.parametrize("name", ["", "nothing", ".", "..", "../..", "/", "*", "~"])
def test_open_of_what_is_no_run(store: RunStore, config: RunConfig, name: str) -> None:
    store.create(config)
    with pytest.raises(RunError, match="R01"):
        store.open(name)
    with pytest.raises(RunError, match="R01"):
        store.delete(name)


def test_delete_takes_the_run_and_nothing_else(
    store: RunStore, config: RunConfig, tmp_path: Path
) -> None:
    run, other = store.create(config), store.create(config)
    data = tmp_path / "data"
    data.mkdir()
    (data / "image.png").touch()
    (run.path / "link").symlink_to(data)
    store.delete(run.id)
    assert [path.name for path in store.folder.iterdir()] == [other.id]
    assert (data / "image.png").exists()
    assert status(other) is RunStatus.CREATED


def test_delete_outside_the_workspace_is_refused(
    store: RunStore, config: RunConfig, tmp_path: Path
) -> None:
    run = store.create(config)
    copy = Path(shutil.move(run.path, tmp_path / "elsewhere" / run.id))
    with pytest.raises(RunError, match="R04"):
        store.delete(str(copy))
    (store.folder / run.id).symlink_to(copy)
    with pytest.raises(RunError, match="R04"):
        store.delete(run.id)
    assert (copy / "config.json").exists()


def test_delete_of_a_live_run_is_refused(running: RunFolder, store: RunStore) -> None:
    with pytest.raises(RunError, match="R05"):
        store.delete(running.id)
    assert running.config.exists()
    assert status(running) is RunStatus.RUNNING


def test_delete_heals_what_an_earlier_one_left(store: RunStore, config: RunConfig) -> None:
    (store.folder / ".deleted-x").mkdir()
    store.delete(store.create(config).id)
    assert list(store.folder.iterdir()) == []


def test_create_in_a_vanished_workspace_is_a_sentence(store: RunStore, config: RunConfig) -> None:
    store.folder.rmdir()
    store.folder.write_text("in the way")
    with pytest.raises(SystemError_, match="E01"):
        store.create(config)
