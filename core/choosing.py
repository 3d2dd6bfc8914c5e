"""How to train without being asked: the settings that follow from data, student and device.

Each comes with its reason in one sentence. Pure; needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.config import (
    DataSettings,
    DeviceSettings,
    PixelSettings,
    RunConfig,
    StudentSettings,
    TrainSettings,
)
from core.config_method import MethodSettings
from core.errors import ConfigError
from core.students.spec import STUDENTS

DEMO_SIDE = 128
FEWEST_STEPS, MOST_STEPS = 600, 6000
FEWEST_PASSES, MOST_PASSES = 2, 300
FEW_IMAGES = 128  # training images
DEEP_UP_TO = 300  # training images; more were not tried
MOST_LOOKS, MOST_VIEWS = 6000, 64  # of the teacher, where that is more than the usual views
DEMO_REASON = "The demo's own, tried so that it takes minutes and its figures can be repeated."


@dataclass(frozen=True)
class Reason:
    """Why a setting has its value.

    Attributes:
        field: Dotted name of the setting.
        value: Its value.
        sentence: For people.
    """

    field: str
    value: Any
    sentence: str


@dataclass(frozen=True)
class Choice:
    """A request, and the reason for each setting that was chosen for it."""

    config: RunConfig
    reasons: tuple[Reason, ...]


def choose_settings(config: RunConfig, images: int = 0, device: str = "cpu") -> Choice:
    """How a request would train if nobody had changed anything.

    Kept are the name, the images and how they are read and divided, the teacher's name, and the
    student with its input size and weights.

    Args:
        config: The request.
        images: Training images; 0 where that is not known yet.
        device: "cpu", "cuda" or "mps" as far as known. It changes reasons, not values: what
            depends on it, the arithmetic, is measured when a run starts.
    """
    demo = config.data.source == "demo"
    batch, why_batch = _batch(0 if demo else images)
    passes, why_passes = _passes(images, batch)
    rate, why_rate = _rate(config.student)
    warmup, why_warmup = _warmup(config.student)
    views, why_views = _views(images, passes)
    method, why_method = _method(images, device)
    reasons = [
        Reason("method.name", method, why_method),
        Reason("student.image_px", config.student.image_px, _why_side(config)),
        Reason("train.epochs", passes, why_passes),
        Reason("train.batch", batch, why_batch),
        Reason("train.learning_rate", rate, why_rate),
        Reason("train.warmup", warmup, why_warmup),
        Reason("train.augment", TrainSettings().augment, WHY_AUGMENT),
        Reason("train.balance", TrainSettings().balance, WHY_BALANCE),
        Reason("train.patience", TrainSettings().patience, WHY_PATIENCE),
        Reason("teacher.views", views, why_views),
        Reason("device.precision", DeviceSettings().precision, _why_precision(device)),
    ]
    if demo:
        reasons = [_as_in_the_demo(reason, config.student) for reason in reasons]
    kept = {name: getattr(config, name) for name in ("name", "data", "split", "student")}
    usual = RunConfig(**kept)
    named = {"teacher": usual.teacher.model_copy(update={"name": config.teacher.name})}
    return Choice(_with(usual.model_copy(update=named), reasons), tuple(reasons))


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


def value_at(config: RunConfig, field: str) -> Any:
    """The value of a setting by its dotted name."""
    group, name = field.split(".")
    return getattr(getattr(config, group), name)


def _with(config: RunConfig, reasons: list[Reason]) -> RunConfig:
    groups: dict[str, dict[str, Any]] = {}
    for reason in reasons:
        group, name = reason.field.split(".")
        groups.setdefault(group, {})[name] = reason.value
    changed = {group: getattr(config, group).model_copy(update=v) for group, v in groups.items()}
    return config.model_copy(update=changed)


def _as_in_the_demo(reason: Reason, student: StudentSettings) -> Reason:
    if reason.field == "train.learning_rate" and (_is_transformer(student) or student.weights):
        return reason
    if reason.field == "teacher.views":
        return Reason(reason.field, RunConfig.model_fields["teacher"].default.views, WHY_VIEWS)
    own = value_at(demo_config(), reason.field)
    if own == reason.value or reason.field == "student.image_px":
        return reason
    return Reason(reason.field, own, DEMO_REASON)


def _is_transformer(student: StudentSettings) -> bool:
    try:
        return STUDENTS.get(student.name).patch_px > 1
    except ConfigError:
        return False  # it will be said when the run is started


def _batch(images: int) -> tuple[int, str]:
    if images and images < FEW_IMAGES:
        return 16, (
            f"With fewer than {FEW_IMAGES} training images, 16 at a time give each pass more "
            "steps; below 8 the likeness to the teacher could not be measured."
        )
    return 32, "32 at a time: a steady step that fits into the memory of any usual computer."


def _passes(images: int, batch: int) -> tuple[int, str]:
    if not images:
        usual: int = TrainSettings.model_fields["epochs"].default
        return usual, "Suits a few thousand images; it follows yours once they have been read."
    passes = usual_passes(images, batch)
    if passes == MOST_PASSES:
        return passes, (
            f"About {images:,} training images: beyond {passes} passes a network only learns so "
            "few by heart."
        )
    steps = passes * max(1, images // min(batch, images))
    return passes, (
        f"About {images:,} training images, so about {steps:,} steps: fewer than {FEWEST_STEPS} "
        f"teach a network little, more than {MOST_STEPS:,} mostly take time."
    )


def _rate(student: StudentSettings) -> tuple[float, str]:
    transformer = _is_transformer(student)
    usual = 5e-4 if transformer else 1e-3
    if student.weights:
        return round(0.3 * usual, 6), (
            "A third of the usual: the student starts from learned weights, and large steps would "
            "wipe out what they know."
        )
    if transformer:
        return usual, "Half of a convolutional student's: large steps throw a transformer off."
    return usual, "Usual for a convolutional student that starts from nothing (AdamW)."


def _warmup(student: StudentSettings) -> tuple[float, str]:
    if _is_transformer(student):
        return 0.1, "A tenth of the steps, twice the usual: a transformer needs a gentler start."
    return 0.05, "A gentle start over the first twentieth of the steps."


def _views(images: int, passes: int) -> tuple[int, str]:
    usual: int = RunConfig.model_fields["teacher"].default.views
    many = max(usual, min(MOST_VIEWS, MOST_LOOKS // images)) if images else usual
    if passes < many:
        return passes, "One version of each image for every pass; more would never be shown."
    return many, WHY_VIEWS


def _method(images: int, device: str) -> tuple[str, str]:
    if 0 < images <= DEEP_UP_TO:
        return "drd", (
            "With so few images the deep form did better in our benchmark (brain MRI, 60 and 240 "
            "images: AUROC 0.02 above the student alone; one stage made no difference). Its steps "
            "take about three times as long."
        )
    slow = "" if device == "cuda" else ", and on a processor each step takes much longer"
    return "rd", (
        f"One stage is taught first; the deep form teaches all{slow}. Compare both by one press."
    )


def _why_side(config: RunConfig) -> str:
    side, kept = config.student.image_px, config.data.pixels.size_px
    if side > kept:
        return (
            f"Chosen with the student; the pictures are kept at {kept} px, so more shows no more."
        )
    return f"Chosen with the student; pictures are kept at {kept} px."


def _why_precision(device: str) -> str:
    where = {"cuda": "the graphics card", "mps": "the graphics part"}.get(device, "the processor")
    return f"Measured on {where} when a run starts: the faster arithmetic is taken and recorded."


WHY_AUGMENT = (
    "Small crops, turns and changes of brightness, but never mirrored: left and right carry "
    "meaning. “flips” adds mirror images where they do not."
)
WHY_BALANCE = "A rare class counts as much as a frequent one."
WHY_PATIENCE = (
    "Ends when validation has not improved for so many passes, though not before 60 % of them."
)
WHY_VIEWS = (
    "The teacher sees so many versions of each image, and the student no others: a student shown "
    "16 of each of 60 to 93 images learned them by heart (validation AUROC 0.03 lower than with "
    "new ones in each pass). More take the teacher's time."
)
