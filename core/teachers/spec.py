"""What a teacher is and where its file lies; readable without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from core.config_base import Settings
from core.errors import ModelError
from core.teachers.shards import parts_of

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "teachers"
Triple = tuple[float, float, float]


class TeacherSpec(Settings):
    """Everything about a teacher but its weights.

    The `source` says where they are: ``bundled`` (a file in ``assets/teachers``), ``file`` (a path
    of the user's), ``hub`` (a Hugging Face id, fetched once after the user agreed), ``page`` (an
    address from which a person downloads them by hand).
    """

    name: str = Field(description="Unique short name.")
    title: str = Field(description="Name shown to people.")
    architecture: str = Field(description="timm architecture.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of the architecture."
    )
    source: Literal["bundled", "file", "hub", "page"]
    location: str = Field(
        description="File name, path, hub id with the file after a colon, or address of a page."
    )
    sha256: str = Field("", description="Of the weights' file; empty where it is not known before.")
    adapter: str = Field(
        "", description="SHA-256 of the low-rank adapter that a run has added to it, if any."
    )
    format: str = Field(
        "timm", description="Checkpoint format: how its names map to the network's."
    )
    image_px: int = Field(ge=32, le=2048, description="Side of the input picture.")
    in_chans: Literal[1, 3] = Field(3, description="Channels of the input picture.")
    stretch: bool = Field(
        False, description="Whether each picture is first stretched from its darkest to its "
        "brightest pixel."
    )  # fmt: skip
    value_range: tuple[float, float] = Field(
        (0.0, 1.0), description="What black and white become before mean and std are applied."
    )
    mean: Triple = Field(description="Subtracted from the picture in `value_range`.")
    std: Triple = Field(description="Divides the difference.")
    taps: tuple[int, ...] = Field(
        min_length=1, description="Indices of `forward_intermediates`, shallow to deep."
    )
    licence: str = Field(description="Short name of the licence of the weights.")
    licence_note: str = Field(description="What it means for a distilled student, in plain words.")
    licence_accepted: str = Field(
        "", description="When the user accepted the licence's conditions, as ISO 8601."
    )
    gated: bool = Field(False, description="Whether the hub asks for an account and an agreement.")
    citation: str = Field("", description="How to cite it.")
    described_by: str = Field(
        "", description="File beside the weights on the hub whose mean and std hold, not these."
    )
    facts: str = Field("", description="Where size, mean, std and architecture were read.")
    about: str = Field("", description="One sentence for a physician.")
    verified: bool = Field(
        False, description="Whether the entry was checked against the real file."
    )


def teacher_file(spec: TeacherSpec, cache: Path) -> Path:
    """Where the weights are on this machine; see `load_teacher` for what is raised."""
    todo = "Restore the file or choose another teacher."
    if spec.source == "bundled":
        file = BUNDLED / spec.location
    elif spec.source == "file":
        file = Path(spec.location)
    else:
        file = hub_target(spec, cache)
        todo = f"Fetch it once with `python launch.py fetch {spec.name}` on a connected machine."
    if spec.source == "page":
        todo = (
            f"Download it from {spec.location}, then type "
            f"`python launch.py teacher FILE --like {spec.name}`."
        )
    if not file.is_file():
        raise ModelError("M20", "The teacher's file is not there", item=spec.name, todo=todo)
    parts_of(file)  # which says what is missing
    return file


def not_a_teacher(item: str) -> ModelError:
    """What is said of a student that Bedside exported: it has nothing to teach another."""
    return ModelError(
        "M32",
        "This file is a student that Bedside exported, not a teacher",
        item=item,
        todo="Choose a teacher's file; to go on from a student, name it as starting weights.",
    )


def hub_folder(spec: TeacherSpec, cache: Path) -> Path:
    """Where the files of a hub teacher's repository are kept."""
    return cache / "hub" / spec.location.partition(":")[0].replace("/", "--")


def hub_target(spec: TeacherSpec, cache: Path) -> Path:
    """Where a hub teacher's file is kept."""
    return hub_folder(spec, cache) / spec.location.partition(":")[2]
