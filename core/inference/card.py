"""The card beside an exported student: everything needed to use it, and what it may be used for."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from core.config import PixelSettings
from core.config_base import Settings
from core.errors import ModelError
from core.files import sha256_file
from core.types import Task

CARD_FILE: Final = "model.json"
WEIGHTS_FILE: Final = "model.safetensors"
ONNX_FILE: Final = "model.onnx"
README_FILE: Final = "README.txt"
PARITY_FILE: Final = "parity.json"
NOTICE: Final = "Research use only. Not for diagnosis."
LARGEST_CARD = 4_000_000  # bytes; a card is a few kilobytes

Triple = tuple[float, float, float]
Name = Annotated[str, Field(min_length=1, max_length=10_000)]
Probability = Annotated[float, Field(ge=0, le=1)]


class TeacherNote(Settings):
    """What has to be said about the teacher wherever its student goes."""

    title: str = Field(description="Name of the teacher.")
    licence: str = Field(description="Short name of the licence of its weights.")
    licence_note: str = Field(description="What it means for this student, in plain words.")
    licence_accepted: str = Field(
        "", description="When its conditions were accepted here, as ISO 8601; empty if it has none."
    )
    citation: str = Field("", description="How to cite it.")
    sha256: str = Field(description="Of its weights' file.")


class ModelCard(Settings):
    """Description of one exported student. Holds no path and no name of a person or file."""

    format_version: Literal[1] = Field(1, description="Version of this card's format.")
    notice: str = Field(NOTICE, description="What the model may be used for.")
    student: str = Field(description="The student's name in Bedside.")
    title: str = Field(description="The student's name for people.")
    architecture: str = Field(description="The student's name in timm.")
    options: dict[str, Any] = Field(description="Arguments of `timm.create_model` besides it.")
    initial_weights: str = Field("", description="SHA-256 of the weights it started from, if any.")
    classes: tuple[Name, ...] = Field(
        min_length=1, max_length=1000, description="Classes in the order of the outputs."
    )
    task: Task = Field(description="One class per image, or any number of findings.")
    channels: Literal[1, 3] = Field(description="Channels of the input picture.")
    image_px: int = Field(ge=32, le=1024, description="Side of the input picture.")
    pixels: PixelSettings = Field(description="How a file becomes a picture in [0, 1].")
    mean: Triple = Field(description="Subtracted from the picture, channel by channel.")
    std: Triple = Field(description="Divides the difference, channel by channel.")
    thresholds: dict[str, Probability] = Field(
        default_factory=dict,
        description="Probability from which on a class counts as found, chosen on validation.",
    )
    temperature: None = Field(None, description="Probabilities are not recalibrated.")
    teacher: TeacherNote | None = Field(description="Who taught it; nobody if it learned alone.")
    method: str = Field(description="How it was trained.")
    data_sha256: str = Field(description="Of the data set, its labels and its pixel settings.")
    synthetic: bool = Field(description="Whether it was trained on synthetic images.")
    run: str = Field(description="The run that made it.")
    bedside_version: str = Field(description="Version of Bedside that wrote it.")
    files: dict[str, str] = Field(
        default_factory=dict, description="SHA-256 of each file beside this card."
    )

    @model_validator(mode="after")
    def _thresholds_belong_to_classes(self) -> ModelCard:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("two classes have the same name")
        if unknown := set(self.thresholds) - set(self.classes):
            raise ValueError(f"thresholds of unknown classes: {sorted(unknown)}")
        return self


def open_card(folder: Path, file: str) -> ModelCard:
    """Read the card of an exported model and verify one of the files it describes.

    Args:
        folder: Folder of the export.
        file: `WEIGHTS_FILE` or `ONNX_FILE`.

    Raises:
        ModelError: The folder holds no exported model (M40), its card cannot be read (M41), or
            the file is not the one the card describes (M42).
    """
    if not (folder / CARD_FILE).is_file() or not (folder / file).is_file():
        raise ModelError(
            "M40",
            "The folder holds no complete exported model",
            item=CARD_FILE if not (folder / CARD_FILE).is_file() else file,
            todo="Choose a folder that Bedside exported, with all of its files.",
        )
    card = read_card(folder)
    if card.files.get(file) != sha256_file(folder / file):
        raise ModelError(
            "M42",
            "A file of the model is not the one its card describes (the checksum differs)",
            item=file,
            todo="It was changed or damaged; copy the whole folder again, or export once more.",
        )
    return card


def read_card(folder: Path) -> ModelCard:
    """Read ``model.json`` without verifying the files beside it.

    Raises:
        ModelError: M41, it is damaged or of another version.
    """
    try:
        if (folder / CARD_FILE).stat().st_size > LARGEST_CARD:
            raise ValueError("too large for a card")
        return ModelCard.model_validate_json((folder / CARD_FILE).read_bytes())
    except (OSError, ValidationError, ValueError) as error:
        wrong = _first_mistake(error)
        raise ModelError(
            "M41",
            f"The model's card cannot be read ({wrong})",
            item=CARD_FILE,
            todo="It may be damaged or written by a newer Bedside; export the model once more.",
        ) from error


def _first_mistake(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "it is damaged"
    mistake = error.errors()[0]
    where = ".".join(str(part) for part in mistake["loc"])
    return f"{where}: {mistake['msg']}" if where else str(mistake["msg"])


def bedside_version() -> str:
    """The version in ``pyproject.toml``, or ``"unknown"`` where that file was left behind."""
    file = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if not file.is_file():
        return "unknown"
    return str(tomllib.loads(file.read_text(encoding="utf-8"))["project"]["version"])
