"""Ready-made requests: the demo's, and how much effort a training may take."""

from __future__ import annotations

from dataclasses import dataclass

from core.config import (
    DataSettings,
    DeviceSettings,
    MethodSettings,
    PixelSettings,
    RunConfig,
    StudentSettings,
    TrainSettings,
)

DEMO_SIDE = 128


@dataclass(frozen=True)
class Preset:
    """How much effort a training may take.

    Attributes:
        title: Name shown to people.
        summary: One sentence on what it is for.
        epochs: Passes over the training images, as a multiple of the project's own number.
        views: Stored views of each image, as a multiple of the project's own number.
        patience: Epochs without a better validation figure before stopping early; 0 never.
    """

    title: str
    summary: str
    epochs: float
    views: float
    patience: int


PRESETS = {
    "quick": Preset(
        "Quick look",
        "A third of the passes: enough to see whether the images can be told apart at all.",
        epochs=1 / 3,
        views=1 / 2,
        patience=0,
    ),
    "balanced": Preset(
        "Balanced",
        "What we would run first. Good figures in reasonable time.",
        epochs=1,
        views=1,
        patience=0,
    ),
    "thorough": Preset(
        "Thorough",
        "Up to three times the passes, ended early when validation no longer improves.",
        epochs=3,
        views=2,
        patience=15,
    ),
}


def with_preset(config: RunConfig, name: str) -> RunConfig:
    """The request with a preset's effort; views never exceed passes, for no more would be seen.

    Args:
        config: The project's own request, which is what ``"balanced"`` means.
        name: A key of `PRESETS`.
    """
    preset = PRESETS[name]
    epochs = max(1, round(config.train.epochs * preset.epochs))
    views = max(1, min(64, epochs, round(config.teacher.views * preset.views)))
    return config.model_copy(
        update={
            "train": config.train.model_copy(
                update={"epochs": epochs, "patience": preset.patience}
            ),
            "teacher": config.teacher.model_copy(update={"views": views}),
        }
    )


def demo_config(method: str = "rd", seed: int = 0) -> RunConfig:
    """A small run on the phantom: a student of 0.6 million parameters at 128 px.

    Args:
        method: Name of a method; the demo runs 'rd' and, beside it, 'student_only'.
        seed: Seed of the training.
    """
    return RunConfig(
        name=f"demo {method.replace('_', ' ')}",
        data=DataSettings(source="demo", pixels=PixelSettings(size_px=DEMO_SIDE)),
        student=StudentSettings(name="mobilenetv3_small_050", image_px=DEMO_SIDE),
        method=MethodSettings(name=method),
        device=DeviceSettings(precision="float32"),  # the same figures whatever else is running
        train=TrainSettings(epochs=60, batch=32, learning_rate=2e-3, patience=0, seed=seed),
    )
