"""What a teacher is trained on and how: the recipe of `core.teachers.pretrain`."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from core.config_base import Settings
from core.data.cache import PixelCache
from core.data.manifest import Dataset


class PretrainSettings(Settings):
    """The recipe of a teacher."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$", description="Name of its file.")
    title: str = Field(min_length=1, description="Its name for people.")
    architecture: str = Field("resnet10t", description="timm architecture.")
    train_px: int = Field(128, ge=32, description="Side of the pictures during training.")
    # random crops enlarge what they show, so a teacher sees best at a larger side than it was
    # trained at (Touvron et al. 2019, arXiv 1906.06423)
    image_px: int = Field(160, ge=32, description="Side of the pictures it will be used at.")
    epochs: int = Field(24, ge=1, description="Passes over the images.")
    batch: int = Field(192, ge=4, description="Images per step, each shown in two views.")
    scenes: int = Field(0, ge=0, description="Made pictures in every step; 0 for none.")
    steps: int = Field(0, ge=0, description="Steps, where there are no images to pass over.")
    early_px: int = Field(
        0, ge=0, description="Side of made pictures in the first two thirds; 0 for `train_px`."
    )
    learning_rate: float = Field(2e-3, gt=0, description="Highest rate of AdamW.")
    contrast: float = Field(1.0, ge=0, description="Weight of knowing an image again.")
    supervision: float = Field(1.0, ge=0, description="Weight of the classification losses.")
    seed: int = Field(0, ge=0, description="Seed of weights, order and views.")
    licence: str = Field("as its owner says", description="Licence the teacher is given.")
    licence_note: str = Field(
        "Ask whoever trained it.", description="What it means for a distilled student."
    )


@dataclass(frozen=True)
class Lesson:
    """One data set: its pictures and, where it has them, its targets.

    Attributes:
        title: What it is, for the card.
        licence: Licence of its images, for the card.
        dataset: The imported data set.
        cache: Its decoded pictures.
    """

    title: str
    licence: str
    dataset: Dataset
    cache: PixelCache
