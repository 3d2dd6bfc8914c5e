"""How much effort a preset is, whatever was chosen before it."""

from __future__ import annotations

import pytest

from core.choosing import demo_config
from core.config import DataSettings, RunConfig, StudentSettings
from core.presets import OWN, PRESETS, preset_of, with_preset
from core.projects import ProjectStore

FOLDER = RunConfig(data=DataSettings(source="/somewhere"))


@pytest.mark.parametrize("config", [demo_config(), FOLDER], ids=["demo", "folder"])
@pytest.mark.parametrize("images", [0, 40, 900, 60_000])
def test_a_preset_means_the_same_whatever_was_chosen_before(config: RunConfig, images: int) -> None:
    for first in PRESETS:
        for second in PRESETS:
            there = with_preset(with_preset(config, first, images), second, images)
            assert there == with_preset(config, second, images)
            assert preset_of(there, images) == second


def test_presets_grow() -> None:
    passes = [with_preset(FOLDER, name, 900).train.epochs for name in PRESETS]
    assert passes == sorted(passes)
    assert len(set(passes)) == 3


def test_the_demo_as_it_is_made_is_balanced() -> None:
    assert with_preset(demo_config(), "balanced", 432) == demo_config()


def test_views_never_exceed_passes() -> None:
    for name in PRESETS:
        for images in (10, 1000, 10**6):
            found = with_preset(FOLDER, name, images)
            assert 1 <= found.teacher.views <= min(64, found.train.epochs)


def test_own_settings_are_nobodys() -> None:
    own = FOLDER.model_copy(update={"train": FOLDER.train.model_copy(update={"epochs": 31})})
    assert preset_of(own) == OWN


def test_a_preset_follows_the_student(workspace: object) -> None:
    store = ProjectStore(workspace)  # type: ignore[arg-type]
    project = store.create("Folder", with_preset(FOLDER, "balanced"))
    student = StudentSettings(name="vit_tiny", image_px=224)
    project = store.save(project, project.config.model_copy(update={"student": student}))
    assert project.preset == "balanced"
    assert project.request.train.learning_rate == 5e-4
    assert preset_of(project.request) == "balanced"


def test_a_new_project_is_balanced_and_a_prepared_one_is_left_alone(workspace: object) -> None:
    store = ProjectStore(workspace)  # type: ignore[arg-type]
    assert store.for_source("demo").preset == "balanced"
    small = FOLDER.model_copy(update={"train": FOLDER.train.model_copy(update={"epochs": 3})})
    project = store.create("Small", small)
    assert project.preset == OWN
    assert project.request == small
