"""How much effort a training may take: ready-made answers."""

from __future__ import annotations

from dataclasses import dataclass

from core.choosing import MOST_VIEWS, choose_settings
from core.config import RunConfig

OWN = "own"  # effort that is no preset's
CHOSEN = ("batch", "learning_rate", "warmup")  # follow the images and the student, in every preset


@dataclass(frozen=True)
class Preset:
    """How much effort a training may take.

    Attributes:
        title: Name shown to people.
        summary: One sentence on what it is for.
        epochs: Passes over the training images, as a multiple of the usual number.
        views: Stored views of each image, as a multiple of the usual number.
        patience: Epochs without a better validation figure before stopping early; 0 never, None as
            usual.
    """

    title: str
    summary: str
    epochs: float
    views: float
    patience: int | None


PRESETS = {
    "quick": Preset(
        "Quick look",
        "Enough to see whether the images can be told apart at all.",
        epochs=1 / 3,
        views=1 / 2,
        patience=0,
    ),
    "balanced": Preset(
        "Balanced",
        "What we would run first: good figures in reasonable time.",
        epochs=1,
        views=1,
        patience=None,
    ),
    "thorough": Preset(
        "Thorough",
        "Three times the passes, ended early when validation no longer improves.",
        epochs=3,
        views=2,
        patience=15,
    ),
}


def with_preset(config: RunConfig, name: str, images: int = 0) -> RunConfig:
    """The request with a preset's effort; views never exceed passes, for no more would be seen.

    Args:
        config: The request. What it says of passes, views, patience, batch, learning rate and
            warm-up is replaced: a preset means the same whatever was chosen before it.
        name: A key of `PRESETS`.
        images: Training images; 0 where that is not known yet.
    """
    preset, usual = PRESETS[name], choose_settings(config, images).config
    epochs = max(1, round(usual.train.epochs * preset.epochs))
    views = max(1, min(MOST_VIEWS, epochs, round(usual.teacher.views * preset.views)))
    patience = usual.train.patience if preset.patience is None else preset.patience
    chosen = {field: getattr(usual.train, field) for field in CHOSEN}
    train = config.train.model_copy(update={"epochs": epochs, "patience": patience, **chosen})
    teacher = config.teacher.model_copy(update={"views": views})
    return config.model_copy(update={"train": train, "teacher": teacher})


def preset_of(config: RunConfig, images: int = 0) -> str:
    """The preset whose effort a request has, or `OWN`; `images` as for `with_preset`."""
    return next((name for name in PRESETS if with_preset(config, name, images) == config), OWN)
