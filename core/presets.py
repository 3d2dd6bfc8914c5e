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
OWN = "own"  # effort that is no preset's
MOST_VIEWS = 64
FEWEST_STEPS, MOST_STEPS = 600, 6000
FEWEST_PASSES, MOST_PASSES = 2, 300


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
        config: The request. What it says of passes, views and patience is replaced: a preset means
            the same whatever was chosen before it.
        name: A key of `PRESETS`.
        images: Training images; 0 where that is not known yet.
    """
    preset, usual = PRESETS[name], default_request(config)
    epochs = max(1, round(_usual_epochs(config, images) * preset.epochs))
    views = max(1, min(MOST_VIEWS, epochs, round(usual.teacher.views * preset.views)))
    patience = usual.train.patience if preset.patience is None else preset.patience
    train = config.train.model_copy(update={"epochs": epochs, "patience": patience})
    teacher = config.teacher.model_copy(update={"views": views})
    return config.model_copy(update={"train": train, "teacher": teacher})


def preset_of(config: RunConfig, images: int = 0) -> str:
    """The preset whose effort a request has, or `OWN`; `images` as for `with_preset`."""
    return next((name for name in PRESETS if with_preset(config, name, images) == config), OWN)


def default_request(config: RunConfig, images: int = 0) -> RunConfig:
    """The request as it was before anybody changed how to train, for the same images and networks.

    Kept are the name, the images and how they are read and divided, the teacher, and the student
    with its input size and weights.

    Args:
        config: The request.
        images: Training images; 0 where that is not known yet.
    """
    usual = demo_config() if config.data.source == "demo" else RunConfig(data=config.data)
    train = usual.train.model_copy(update={"epochs": _usual_epochs(usual, images)})
    teacher = usual.teacher.model_copy(update={"name": config.teacher.name})
    kept = {name: getattr(config, name) for name in ("name", "data", "split", "student")}
    return usual.model_copy(update={**kept, "train": train, "teacher": teacher})


def _usual_epochs(config: RunConfig, images: int) -> int:
    if config.data.source == "demo":
        return demo_config().train.epochs
    if not images:
        return RunConfig(data=config.data).train.epochs
    return usual_passes(images, config.train.batch)


def usual_passes(images: int, batch: int) -> int:
    """Passes that a training of middling effort takes.

    A few dozen passes suit a few thousand images. Of fewer images they are too few steps for a
    network to learn anything, of many more they take days on a processor.

    Args:
        images: Training images.
        batch: Images per step.
    """
    per_pass = max(1, images // min(batch, images))
    usual: int = TrainSettings.model_fields["epochs"].default
    steps = min(MOST_STEPS, max(FEWEST_STEPS, usual * per_pass))
    return max(FEWEST_PASSES, min(MOST_PASSES, round(steps / per_pass)))


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
