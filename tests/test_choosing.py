"""Settings chosen without being asked, each with its reason."""

from __future__ import annotations

import pytest

from core.choosing import (
    FEWEST_STEPS,
    MOST_PASSES,
    MOST_STEPS,
    choose_settings,
    demo_config,
    usual_passes,
    value_at,
)
from core.config import DataSettings, RunConfig, StudentSettings
from core.presets import preset_of

FOLDER = RunConfig(data=DataSettings(source="/somewhere"))
VIT = FOLDER.model_copy(update={"student": StudentSettings(name="vit_tiny")})
LEARNED = FOLDER.model_copy(update={"student": StudentSettings(weights="/w.safetensors")})


@pytest.mark.parametrize("config", [FOLDER, VIT, LEARNED, demo_config()])
@pytest.mark.parametrize("images", [0, 40, 900, 60_000])
def test_every_choice_is_in_the_request_and_has_a_sentence(config: RunConfig, images: int) -> None:
    choice = choose_settings(config, images)
    assert len({reason.field for reason in choice.reasons}) == len(choice.reasons)
    for reason in choice.reasons:
        assert value_at(choice.config, reason.field) == reason.value
        assert reason.sentence.endswith(".")
        assert 20 < len(reason.sentence) < 240
    assert RunConfig.model_validate_json(choice.config.to_json()) == choice.config
    assert preset_of(choice.config, images) == "balanced"
    assert choose_settings(choice.config, images) == choice


@pytest.mark.parametrize(
    ("config", "images", "method", "batch", "passes", "rate", "warmup", "views"),
    [
        (FOLDER, 40, "drd", 16, 300, 1e-3, 0.05, 64),
        (FOLDER, 200, "drd", 32, 100, 1e-3, 0.05, 30),
        (FOLDER, 468, "rd", 32, 43, 1e-3, 0.05, 16),
        (FOLDER, 60_000, "rd", 32, 3, 1e-3, 0.05, 3),
        (VIT, 3500, "rd", 32, 30, 5e-4, 0.1, 16),
        (LEARNED, 3500, "rd", 32, 30, 3e-4, 0.05, 16),
        (demo_config(), 400, "rd", 32, 60, 2e-3, 0.05, 16),
    ],
    ids=["tiny", "few", "small", "large", "vit", "weights", "demo"],
)
def test_settings_follow_images_and_student(
    config: RunConfig,
    images: int,
    method: str,
    batch: int,
    passes: int,
    rate: float,
    warmup: float,
    views: int,
) -> None:
    found = choose_settings(config, images).config
    train = found.train
    assert (train.batch, train.epochs, found.teacher.views) == (batch, passes, views)
    assert (train.learning_rate, train.warmup) == (rate, warmup)
    assert (train.augment, found.method.name) == ("light", method)


def test_the_reasons_know_how_many_images_there_are() -> None:
    few, many = (
        {reason.field: reason.sentence for reason in choose_settings(FOLDER, images).reasons}
        for images in (90, 9000)
    )
    assert "90 training images" in few["train.epochs"]
    assert "With so few images" in few["method.name"]
    assert "9,000 training images" in many["train.epochs"]
    assert "on a processor" in many["method.name"]
    assert "graphics card" in str(choose_settings(FOLDER, 9000, "cuda").reasons)


@pytest.mark.parametrize("images", [2, 7, 40, 468, 3500, 20_000, 10**6])
def test_few_images_get_more_passes_and_many_get_fewer(images: int) -> None:
    passes = usual_passes(images, 32)
    steps = passes * max(1, images // min(32, images))
    assert 2 <= passes <= MOST_PASSES
    assert steps >= FEWEST_STEPS or passes == MOST_PASSES
    assert steps <= MOST_STEPS * 1.2 or passes == 2


def test_what_was_changed_goes_back_and_images_and_networks_stay() -> None:
    changed = FOLDER.model_copy(
        update={
            "name": "mine",
            "train": FOLDER.train.model_copy(update={"learning_rate": 0.5, "epochs": 7}),
            "teacher": FOLDER.teacher.model_copy(update={"name": "other", "views": 3}),
            "student": FOLDER.student.model_copy(update={"name": "mobilenetv3_small_050"}),
        }
    )
    back = choose_settings(changed, 900).config
    assert (back.name, back.teacher.name, back.student) == ("mine", "other", changed.student)
    assert back.train.learning_rate == FOLDER.train.learning_rate
    assert preset_of(back, 900) == "balanced"
