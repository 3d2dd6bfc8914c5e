"""How much effort a preset is, whatever was chosen before it."""

from __future__ import annotations

import pytest

from core.config import DataSettings, RunConfig
from core.presets import (
    FEWEST_STEPS,
    MOST_PASSES,
    MOST_STEPS,
    OWN,
    PRESETS,
    default_request,
    demo_config,
    preset_of,
    usual_passes,
    with_preset,
)
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


@pytest.mark.parametrize("images", [2, 7, 40, 468, 3500, 20_000, 10**6])
def test_few_images_get_more_passes_and_many_get_fewer(images: int) -> None:
    passes = usual_passes(images, 32)
    steps = passes * max(1, images // min(32, images))
    assert 2 <= passes <= MOST_PASSES
    assert steps >= FEWEST_STEPS or passes == MOST_PASSES
    assert steps <= MOST_STEPS * 1.2 or passes == 2


def test_own_settings_are_nobodys() -> None:
    own = FOLDER.model_copy(update={"train": FOLDER.train.model_copy(update={"epochs": 31})})
    assert preset_of(own) == OWN


def test_back_to_the_defaults_keeps_images_and_networks() -> None:
    changed = FOLDER.model_copy(
        update={
            "name": "mine",
            "train": FOLDER.train.model_copy(update={"learning_rate": 0.5, "epochs": 7}),
            "teacher": FOLDER.teacher.model_copy(update={"name": "other", "views": 3}),
            "student": FOLDER.student.model_copy(update={"name": "mobilenetv3_small_050"}),
        }
    )
    back = default_request(changed, 900)
    assert (back.name, back.teacher.name, back.student) == ("mine", "other", changed.student)
    assert back.train.learning_rate == FOLDER.train.learning_rate
    assert preset_of(back, 900) == "balanced"


def test_a_new_project_is_balanced_and_a_prepared_one_is_left_alone(workspace: object) -> None:
    store = ProjectStore(workspace)  # type: ignore[arg-type]
    assert store.for_source("demo").preset == "balanced"
    small = FOLDER.model_copy(update={"train": FOLDER.train.model_copy(update={"epochs": 3})})
    project = store.create("Small", small)
    assert project.preset == OWN
    assert project.request == small
