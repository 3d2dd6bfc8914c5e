"""What takes the disk, what uses it, and that nothing in use is ever deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.disk import Item, delete_item, disk_by_kind, list_items
from core.errors import RunError
from core.files import write_json
from core.projects import ProjectStore
from core.runs.events import EventWriter
from core.runs.identity import this_process
from core.runs.layout import RunFolder
from core.runs.status import WorkerCard
from core.runs.store import RunStore
from core.teachers.room import store_name
from tests.tiny import tiny_config

DATA, OTHER = "a" * 16, "b" * 16
STORE = store_name("c" * 16, (2, 3), ((14, 14), (7, 7)))
SHA = "d" * 64


def put_dataset(workspace: Path, name: str) -> None:
    folder = workspace / "datasets" / name
    folder.mkdir(parents=True)
    (folder / "pixels.npy").write_bytes(bytes(5000))
    facts = {"id": name, "sha256": SHA, "images": 4, "usable": 3, "classes": ["a", "b"],
             "synthetic": False, "pixels": {"size_px": 32}}  # fmt: skip
    write_json(folder / "dataset.json", facts)


def put_store(workspace: Path) -> None:
    folder = workspace / "features" / STORE
    folder.mkdir(parents=True)
    (folder / "train-0.bin").write_bytes(bytes(7000))
    facts = {"teacher": "Tiny", "teacher_sha256": "e", "data_sha256": SHA, "train": 2}
    write_json(folder / "about.json", facts)
    write_json(folder / "progress.json", {"clean": 1, "views": 2, "images": 0})


def put_run(workspace: Path, dataset: str, ending: str = "") -> RunFolder:
    config = tiny_config(workspace / "images", workspace / "teacher")
    run = RunStore(workspace).create(config)
    write_json(run.path / "dataset.json", {"id": dataset, "sha256": SHA})
    write_json(run.path / "teacher.json", {"sha256": "e"})
    if ending:
        with EventWriter(run, attempt=1) as writer:
            writer.lifecycle("started")
            if ending == "live":
                write_json(run.worker, WorkerCard(this_process(), 1, "").to_json())
            else:
                writer.lifecycle(ending)  # type: ignore[arg-type]
    return run


def found(workspace: Path, name: str) -> Item:
    return next(item for item in list_items(workspace) if item.name == name)


def refusal(workspace: Path, kind: str, name: str) -> RunError:
    with pytest.raises(RunError) as caught:
        delete_item(workspace, kind, name)
    return caught.value


def test_an_empty_workspace_takes_nothing(workspace: Path) -> None:
    assert list_items(workspace) == []
    assert disk_by_kind(workspace)["datasets"] == 0


def test_every_byte_is_counted_once(workspace: Path) -> None:
    put_dataset(workspace, DATA)
    put_store(workspace)
    (workspace / "notes.txt").write_bytes(bytes(100))
    sizes = disk_by_kind(workspace)
    assert sizes["datasets"] >= 5000
    assert sizes["features"] >= 7000
    every = sum(file.stat().st_size for file in workspace.rglob("*") if file.is_file())
    assert sum(sizes.values()) == every


def test_what_nothing_uses_can_be_deleted(workspace: Path) -> None:
    put_dataset(workspace, DATA)
    put_store(workspace)
    assert found(workspace, DATA).facts["usable"] == 3
    assert found(workspace, STORE).facts["teacher"] == "Tiny"
    assert found(workspace, STORE).facts["views"] == 2
    for kind, name in (("datasets", DATA), ("features", STORE)):
        size = found(workspace, name).bytes
        assert delete_item(workspace, kind, name) == size
        assert not (workspace / kind / name).exists()
    assert list_items(workspace) == []


def test_images_stay_as_long_as_a_run_or_a_project_uses_them(workspace: Path) -> None:
    put_dataset(workspace, DATA)
    put_dataset(workspace, OTHER)
    run = put_run(workspace, DATA, "completed")
    project = ProjectStore(workspace).create("Mine", tiny_config(workspace, workspace))
    write_json(project.folder / "dataset.json", {"id": OTHER, "sha256": SHA})
    assert "tiny rd" in found(workspace, DATA).needed_by[0]
    error = refusal(workspace, "datasets", DATA)
    assert (error.code, "tiny rd" in error.item) == ("R72", True)
    assert refusal(workspace, "datasets", OTHER).item == "Mine"
    RunStore(workspace).delete(run.id)
    delete_item(workspace, "datasets", DATA)
    assert (workspace / "datasets" / OTHER).exists()


def test_features_stay_only_for_a_run_that_may_be_resumed(workspace: Path) -> None:
    put_store(workspace)
    put_run(workspace, DATA, "completed")
    assert found(workspace, STORE).needed_by == ()
    stopped = put_run(workspace, DATA, "stopped")
    assert refusal(workspace, "features", STORE).code == "R72"
    write_json(stopped.path / "teacher.json", {"sha256": "another"})
    delete_item(workspace, "features", STORE)


def test_nothing_is_deleted_while_a_run_is_live(workspace: Path) -> None:
    put_dataset(workspace, DATA)
    put_run(workspace, OTHER, "live")
    error = refusal(workspace, "datasets", DATA)
    assert (error.code, error.item) == ("R71", "tiny rd")
    assert (workspace / "datasets" / DATA / "pixels.npy").exists()


@pytest.mark.parametrize("name", ["../runs", "..", "", "x", "A" * 16, f"{'a' * 16}/.."])
def test_only_listed_folders_can_be_deleted(workspace: Path, name: str) -> None:
    put_dataset(workspace, DATA)
    (workspace / "datasets" / "x").mkdir()
    assert refusal(workspace, "datasets", name).code == "R70"
    assert refusal(workspace, "runs", DATA).code == "R70"


def test_a_link_is_neither_listed_nor_followed(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (workspace / "datasets").mkdir()
    (workspace / "datasets" / DATA).symlink_to(tmp_path / "precious")
    assert list_items(workspace) == []
    assert refusal(workspace, "datasets", DATA).code == "R70"
    assert (tmp_path / "precious").exists()


def test_what_cannot_be_read_is_listed_and_can_go(workspace: Path) -> None:
    folder = workspace / "datasets" / DATA
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text("{ torn")
    assert found(workspace, DATA).facts["usable"] is None
    delete_item(workspace, "datasets", DATA)
    assert not folder.exists()


def test_an_import_that_was_not_finished_is_listed_and_can_go(workspace: Path) -> None:
    folder = workspace / "datasets" / f".{DATA}.123-456"
    folder.mkdir(parents=True)
    (folder / "pixels.npy").write_bytes(b"x" * 5000)
    (item,) = list_items(workspace)
    assert item.facts["unfinished"]
    assert item.needed_by == ()
    assert delete_item(workspace, "datasets", folder.name) == 5000
    assert not folder.exists()
