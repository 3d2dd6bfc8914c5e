"""The probe of every teacher at hand: figures kept one by one, and nothing computed twice."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from core.data.manifest import Dataset
from core.errors import DataError
from core.estimate import read_images
from core.importing import import_images
from core.probes import probe_key, probes_folder, read_probes
from core.probing import probe_teachers
from core.projects import Project, ProjectStore
from core.tasks.base import TASKS, TaskContext
from core.teachers import pooled
from core.teachers.catalogue import find_teacher
from core.teachers.spec import TeacherSpec
from core.types import SplitName, Stopped
from tests.tiny import (
    ListReporter,
    tiny_config,
    tiny_dataset,
    write_images,
    write_tiny_teacher,
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


def teachers(folder: Path) -> dict[str, TeacherSpec]:
    """A teacher, and a file that calls itself one."""
    good = write_tiny_teacher(folder / "good")
    bad = write_tiny_teacher(folder / "bad")
    bad.write_bytes(b"not a network")
    return {str(file): find_teacher(str(file)) for file in (good, bad)}


def test_one_bad_file_costs_one_row_and_nothing_is_computed_twice(
    images: Path, tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = teachers(tmp_path)
    good, bad = named.values()
    config = tiny_config(images, Path(next(iter(named))))
    dataset = tiny_dataset(config, workspace)
    found = probe_teachers(dataset, config, named, workspace, ListReporter())
    assert [key for key, _ in found.sorted()] == [probe_key(good), probe_key(bad)]
    assert found.teachers[probe_key(bad)]["problem"]["code"].startswith("M")
    facts = found.teachers[probe_key(good)]
    linear = facts["linear"]["auroc"]
    assert 0 <= linear["low"] <= linear["value"] <= linear["high"] <= 1
    assert facts["neighbours"]["auroc"]["value"] is not None
    assert set(facts["seconds"]) == {"features", "probe", "map"}
    train = dataset.part(SplitName.TRAIN)
    assert found.sample["rows"] == train["row"].tolist()
    assert len(facts["points"]) == len(train) == found.sample["of"]
    assert (found.best, found.behind) == (probe_key(good), {})

    monkeypatch.setattr(pooled, "pooled_features", None)
    again = probe_teachers(dataset, config, named, workspace, ListReporter())
    assert again == found
    folder = probes_folder(workspace, dataset.sha256, train["image"].tolist())
    (folder / f"{probe_key(good)}.json").unlink()  # the figures are gone, the features are not
    again = probe_teachers(dataset, config, named, workspace, ListReporter())
    assert again.teachers[probe_key(good)]["linear"] == facts["linear"]


def test_a_second_teacher_is_put_beside_the_first(
    images: Path, tmp_path: Path, workspace: Path
) -> None:
    file = write_tiny_teacher(tmp_path)
    spec = find_teacher(str(file))
    twin = spec.model_copy(update={"image_px": 32})
    dataset = tiny_dataset(config := tiny_config(images, file), workspace)
    probe_teachers(dataset, config, {"first": spec}, workspace, ListReporter())
    found = probe_teachers(
        dataset, config, {"first": spec, "twin": twin}, workspace, ListReporter()
    )
    assert len(found.teachers) == 2
    (behind,) = found.behind.values()
    assert behind["value"] <= 0
    assert behind["low"] <= behind["value"] <= behind["high"]


def test_another_file_in_its_place_is_not_taken_for_it(
    images: Path, tmp_path: Path, workspace: Path
) -> None:
    file = write_tiny_teacher(tmp_path)
    spec = find_teacher(str(file)).model_copy(update={"sha256": ""})  # as a hub's may be
    dataset = tiny_dataset(config := tiny_config(images, file), workspace)
    probe_teachers(dataset, config, {"one": spec}, workspace, ListReporter())
    folder = probes_folder(workspace, dataset.sha256, dataset.part(SplitName.TRAIN)["image"])
    assert read_probes(folder, {"one": spec}, tmp_path).teachers
    file.touch()
    assert not read_probes(folder, {"one": spec}, tmp_path).teachers


def test_too_few_patients_are_said_and_not_guessed_from(tmp_path: Path, workspace: Path) -> None:
    file = write_tiny_teacher(tmp_path)
    config = tiny_config(write_images(tmp_path / "images"), file)
    dataset: Dataset = tiny_dataset(config, workspace)
    train = dataset.images["split"] == SplitName.TRAIN.value
    few = dataset.images.copy()
    few.loc[train, "group"] = "one"
    with pytest.raises(DataError) as caught:
        probe_teachers(dataset.with_images(few), config, {}, workspace, ListReporter())
    assert caught.value.code == "I80"


def test_groups_are_called_patients_only_where_they_are(images: Path, workspace: Path) -> None:
    config = tiny_config(images, Path("teacher"))
    dataset = tiny_dataset(config, workspace)
    train = dataset.part(SplitName.TRAIN)
    named = dataset.images.assign(patient_source="column", group=dataset.images["patient"])
    unnamed = named.assign(patient_source="image")
    examined = named.assign(patient_source="study")
    joined = named.copy()
    joined.loc[joined["patient"].isin(train["patient"].unique()[:2]), "group"] = "alike"

    def told(frame: pd.DataFrame) -> str:
        found = probe_teachers(dataset.with_images(frame), config, {}, workspace, ListReporter())
        return found.told()

    of = f"{train['patient'].nunique()} patients; each was judged without its own patient."
    assert told(named).startswith(f"All {len(train)} training images of {of}")
    for frame in (unnamed, examined, joined):
        assert "or that look alike); each was judged without its own group" in told(frame)


def test_the_task_probes_what_is_at_hand_and_stops_when_asked(
    images: Path, tmp_path: Path, workspace: Path
) -> None:
    file = write_tiny_teacher(tmp_path)
    project = _project(images, file, workspace)
    with pytest.raises(Stopped):
        TASKS.get("probe")(_context(project, workspace, ListReporter(stop_after=1)))
    seen = read_images(project)
    folder = probes_folder(workspace, seen.data_sha256, seen.train)
    assert not read_probes(folder, {"own": find_teacher(str(file))}, workspace).teachers
    done = TASKS.get("probe")(_context(project, workspace, ListReporter()))
    assert done == {"teachers": 3}  # the two bundled ones and the user's, none of the hub's


def _project(images: Path, teacher: Path, workspace: Path) -> Project:
    project = ProjectStore(workspace).create("Tiny", tiny_config(images, teacher))
    import_images(project.config, workspace, project.folder, ListReporter())
    return project


def _context(project: Project, workspace: Path, reporter: ListReporter) -> TaskContext:
    request = {"project": project.id}
    return TaskContext(request, workspace / "tasks" / "one", workspace, reporter)
