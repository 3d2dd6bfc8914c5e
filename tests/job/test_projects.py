"""Projects: one for each source, and what goes with one that is deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.choosing import demo_config
from core.config import DataSettings, PixelSettings, RunConfig
from core.data.manifest import open_dataset
from core.errors import RunError
from core.files import read_json, write_json
from core.projects import DEMO_TITLE, Project, ProjectStore, folder_bytes, incoming_root
from core.runs.layout import RunFolder
from core.runs.store import RunStore
from core.tasks.base import TASKS, TaskContext
from core.types import SilentReporter
from tests.tiny import SIDE, write_images


@pytest.fixture
def store(workspace: Path) -> ProjectStore:
    return ProjectStore(workspace)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve tiny images of six patients."""
    return write_images(tmp_path_factory.mktemp("source") / "phantom", patients=6)


def imported(store: ProjectStore, images: Path) -> Project:
    """A project whose images have been read, in this process."""
    settings = DataSettings(source=str(images), pixels=PixelSettings(size_px=SIDE))
    project = store.create("Tiny", RunConfig(data=settings))
    read(store, project)
    return store.open(project.id)


def read(store: ProjectStore, project: Project, **wanted: object) -> dict[str, object]:
    """Do the import task of a project."""
    asked = {"project": project.id, **wanted}
    context = TaskContext(asked, store.workspace / "tasks", store.workspace, SilentReporter())
    return TASKS.get("import")(context)


def run_on(store: ProjectStore, project: Project, *, started: bool = True) -> RunFolder:
    """A run on a project's images that has read them, or has not begun."""
    run = RunStore(store.workspace).create(project.config)
    if started:
        write_json(run.path / "dataset.json", project.found)
    return run


def decoded(store: ProjectStore, project: Project) -> Path:
    """Where the decoded images of a project are."""
    return store.workspace / "datasets" / str(project.found["id"])


def test_one_project_for_each_source(store: ProjectStore) -> None:
    first = store.for_source("/data/ultrasound")
    other = store.for_source("/data/mri", "Brains")
    assert store.for_source("/data/ultrasound").id == first.id != other.id
    assert (first.title, other.title) == ("ultrasound", "Brains")
    assert store.current() == store.open(first.id)
    assert {project.title for project in store.list()} == {"ultrasound", "Brains"}


def test_the_demo_has_its_own_settings(store: ProjectStore) -> None:
    demo = store.for_source("demo")
    assert (demo.title, demo.config) == (DEMO_TITLE, demo_config())
    assert store.for_source("demo").id == demo.id


def test_there_is_no_such_project(store: ProjectStore) -> None:
    for name in ("", "..", "project-0", str(store.folder)):
        with pytest.raises(RunError, match="R50"):
            store.open(name)
    assert store.current() is None


def test_what_an_import_leaves(store: ProjectStore, images: Path) -> None:
    project = imported(store, images)
    assert project.is_imported
    assert (project.found["usable"], project.found["patients"]) == (12, 6)
    frame = open_dataset(project.folder, store.workspace).images
    assert set(frame["split"]) == {"train", "validation", "test"}


def test_other_shares_divide_again_and_read_nothing(
    store: ProjectStore, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = imported(store, images)
    before = read_json(project.folder / "split.json")
    split = project.config.split.model_copy(update={"seed": 4})
    project = store.save(project, project.config.model_copy(update={"split": split}))
    assert project.found
    assert not project.is_imported
    monkeypatch.setattr("core.data.scan.import_dataset", None)  # any look at the source would fail
    read(store, project, decoded=True)
    after = read_json(project.folder / "split.json")
    assert (before["settings"]["seed"], after["settings"]["seed"]) == (0, 4)
    assert before["sha256"] != after["sha256"]


def test_other_pictures_are_read_again(store: ProjectStore, images: Path) -> None:
    project = imported(store, images)
    first = decoded(store, project)
    pixels = PixelSettings(size_px=40)
    data = project.config.data.model_copy(update={"pixels": pixels})
    project = store.save(project, project.config.model_copy(update={"data": data}))
    assert project.found == {}
    read(store, project)
    assert decoded(store, store.open(project.id)) != first


def test_an_import_whose_settings_were_changed_meanwhile_says_so(
    store: ProjectStore, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = imported(store, images)
    real = store.open(project.id)
    data = project.config.data.model_copy(update={"labels": "none"})
    changed = Project(**{**vars(real), "config": real.config.model_copy(update={"data": data})})
    answers = [real, changed]
    monkeypatch.setattr(ProjectStore, "open", lambda self, name: answers.pop(0))
    with pytest.raises(RunError, match="R52"):
        read(store, project)


def test_deleting_frees_what_nothing_else_needs(store: ProjectStore, images: Path) -> None:
    project = imported(store, images)
    pixels, size = decoded(store, project), folder_bytes(store.workspace)
    foreseen = store.deletion(project)
    assert foreseen.folders == (pixels,)
    assert (foreseen.runs, foreseen.shared) == (0, False)
    assert store.delete(project) == foreseen
    assert size - folder_bytes(store.workspace) == foreseen.bytes > folder_bytes(images) / 4
    assert not pixels.exists()
    assert store.current() is None
    assert len(list(images.iterdir())) == 13  # the source is as it was


@pytest.mark.parametrize("started", [True, False])
def test_what_a_run_needs_stays(store: ProjectStore, images: Path, started: bool) -> None:
    project = imported(store, images)
    run_on(store, project, started=started)
    pixels = decoded(store, project)
    deletion = store.delete(project)
    assert (deletion.runs, deletion.shared, deletion.folders) == (1, True, ())
    assert pixels.is_dir()


def test_what_another_project_needs_stays(store: ProjectStore, images: Path) -> None:
    first, second = imported(store, images), imported(store, images)
    assert decoded(store, first) == decoded(store, second)
    assert store.delete(first).shared
    assert decoded(store, second).is_dir()
    assert not store.delete(second).shared
    assert list((store.workspace / "datasets").iterdir()) == []


def test_dropped_files_go_with_their_project(store: ProjectStore) -> None:
    dropped = store.workspace / "incoming" / ("a" * 16)
    (dropped / "files").mkdir(parents=True)
    (dropped / "files" / "x.png").write_bytes(b"1234")
    project = store.for_source(str(dropped / "files"), "Dropped")
    run = run_on(store, project)
    assert store.deletion(project).folders == ()  # the run may be resumed
    RunStore(store.workspace).delete(run.id)
    assert store.deletion(project).folders == (dropped,)
    store.delete(project)
    assert not dropped.exists()


@pytest.mark.parametrize("source", ["demo", "/elsewhere", "{}/incoming", "{}/incoming2/x", "x"])
def test_other_sources_are_not_dropped_files(workspace: Path, source: str) -> None:
    assert incoming_root(workspace, source.format(workspace)) is None


def test_a_project_that_is_being_read_is_not_deleted(
    store: ProjectStore, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = imported(store, images)
    monkeypatch.setattr("core.projects.TaskStore.live", lambda *asked, **wanted: images)
    with pytest.raises(RunError, match="R51"):
        store.delete(project)
    assert store.open(project.id).is_imported
