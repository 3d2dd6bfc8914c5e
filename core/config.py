"""The request for one run: strict, frozen, complete. Written once as ``config.json``, never edited.

Every field carries one sentence; the command line's help and the app's form are drawn from them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from core.config_base import Fraction, Settings
from core.config_method import MethodSettings
from core.errors import ConfigError
from core.files import sha256_json

SCHEMA_VERSION: Final = 1
PATHS = (
    "data.source",
    "split.file",
    "teacher.name",
    "student.weights",
)  # settings that may name a path


class Window(Settings):
    """A fixed intensity window, in the units after the modality step (Hounsfield units for CT)."""

    center: float = Field(description="Middle of the window.")
    width: float = Field(gt=0, description="Width of the window; what lies outside is clipped.")


class PixelSettings(Settings):
    """How a file's stored values become the picture the networks see."""

    size_px: int = Field(
        224, ge=32, le=1024, description="Side of the square picture kept in the cache."
    )
    fit: Literal["pad", "stretch"] = Field(
        "pad", description="Keep the aspect ratio and pad with black, or stretch to the square."
    )
    window: Window | None = Field(
        None,
        description="One window for every DICOM image or volume; empty lets `window_name` decide.",
    )
    window_name: str = Field(
        "",
        max_length=64,
        description="A CT preset ('lung', 'bone', ...), 'file' for the window a file names first, "
        "'window 2', or a window's explanation in the file; empty takes the modality's default.",
    )
    frames: Literal["all", "middle", "every"] = Field(
        "all",
        description="Which pictures of a file that holds several: all, the middle one, or every "
        "n-th.",
    )
    every_nth: int = Field(
        10, ge=1, le=10_000, description="With frames 'every': the step from one to the next."
    )
    slice_axis: Literal["auto", "axial", "coronal", "sagittal"] = Field(
        "auto",
        description="How volumes (NIfTI, MHA, NRRD) are cut; 'auto' cuts where pixels are finest.",
    )


class DataSettings(Settings):
    """Where the images are and where their labels come from."""

    source: str = Field(
        description="A folder, a zip archive or one file of images, or 'demo' for the synthetic "
        "phantom images.",
        min_length=1,
    )
    labels: Literal["auto", "folders", "csv", "file", "tag", "none"] = Field(
        "auto",
        description="Labels from the class folders, a table, inside the files (MedMNIST), a DICOM "
        "tag, whichever of the first three is found, or none.",
    )
    label_tag: str = Field(
        "",
        max_length=64,
        description="With labels 'tag': keyword or number of the DICOM tag that holds the class.",
    )
    table: str = Field(
        "labels.csv", description="Name of the label table (CSV or TSV) inside the folder."
    )
    file_column: str = Field("file", description="Column of the table that names the file.")
    label_columns: tuple[str, ...] = Field(
        ("label",),
        min_length=1,
        description="Column with the class, or several 0/1 columns for several findings per image.",
    )
    patient_column: str = Field(
        "patient_id", description="Column that names the patient, used when the header does not."
    )
    split_column: str = Field(
        "split",
        description="Column that proposes training, validation or test; if it is not there, one of "
        "another usual name is looked for.",
    )
    patient_pattern: str = Field(
        "",
        description="Regular expression whose first group is the patient in a file's name, or in "
        "its path if the expression has a slash.",
    )
    pixels: PixelSettings = PixelSettings()


class SplitSettings(Settings):
    """How the patients are divided."""

    validation: float = Field(0.2, gt=0, lt=0.5, description="Share of images for validation.")
    test: float = Field(0.2, gt=0, lt=0.5, description="Share of images sealed for the test.")
    seed: int = Field(0, ge=0, description="Seed of the division.")
    origin: Literal["auto", "new"] = Field(
        "auto",
        description="Keep a division that comes with the data, after checking it, or divide anew.",
    )
    file: str = Field("", description="A saved division to use again; empty makes one.")


class TeacherSettings(Settings):
    """Which frozen network teaches, and how many views of each image it is asked about."""

    name: str = Field(
        "bedside-s10", description="A catalogue entry, or the path of a teacher's file."
    )
    # with 4 the student soon knows every view by heart: on BUSI validation AUROC .73, with 16 .83;
    # of few images `core.choosing` takes more
    views: int = Field(
        16,
        ge=1,
        le=64,
        description="Views of each training image whose teacher features are stored.",
    )


class StudentSettings(Settings):
    """Which small network is trained."""

    name: str = Field("resnet18", description="A student size.")
    image_px: int = Field(224, ge=32, le=1024, description="Side of the student's input picture.")
    weights: str = Field(
        "", description="A file with weights to start from; empty starts from scratch."
    )


class TrainSettings(Settings):
    """The optimiser and its schedule."""

    epochs: int = Field(30, ge=1, le=2000, description="Passes over the training images.")
    batch: int = Field(32, ge=2, le=1024, description="Images per step.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Highest learning rate of AdamW.")
    weight_decay: float = Field(
        0.05, ge=0, le=1, description="Decay of weights (not norms, not biases)."
    )
    warmup: Fraction = Field(
        0.05, description="Share of the steps in which the rate rises to its highest."
    )
    clip: float = Field(1.0, gt=0, description="Largest gradient norm; longer ones are shortened.")
    balance: bool = Field(True, description="Weight the classes by the inverse of their frequency.")
    patience: int = Field(
        10,
        ge=0,
        description="Epochs without a better validation figure before stopping early; 0 never.",
    )
    augment: Literal["none", "light", "flips"] = Field(
        "light",
        description="Random views: small crops, turns and brightness; 'flips' adds mirror images.",
    )
    seed: int = Field(0, ge=0, description="Seed of initial weights, order and views.")


class EvaluationSettings(Settings):
    """How figures and their intervals are made."""

    resamples: int = Field(
        2000, ge=200, le=20000, description="Bootstrap resamples of the patients."
    )
    positive_class: str = Field(
        "", description="Of two classes the one to be found; empty takes the second by name."
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of the intervals.")


class DeviceSettings(Settings):
    """Where the work is done."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="Processor or graphics card."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Arithmetic of the networks; 'auto' measures and keeps what is faster."
    )
    threads: int = Field(0, ge=0, le=256, description="Processor threads; 0 uses every core.")


class RunConfig(Settings):
    """Everything that determines a run, besides the data and the teacher themselves."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str = Field(
        "run", min_length=1, max_length=60, description="A short name, shown in lists."
    )
    data: DataSettings
    split: SplitSettings = SplitSettings()
    teacher: TeacherSettings = TeacherSettings()
    student: StudentSettings = StudentSettings()
    method: MethodSettings = MethodSettings()
    train: TrainSettings = TrainSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    device: DeviceSettings = DeviceSettings()

    @model_validator(mode="after")
    def _leaves_training_patients(self) -> RunConfig:
        if self.split.validation + self.split.test > 0.7:
            raise ValueError("validation and test together may take at most 0.7 of the images")
        return self

    @property
    def sha256(self) -> str:
        """Hash of everything but the name."""
        return sha256_json(self.model_dump(mode="json", exclude={"name"}))

    def to_json(self) -> str:
        """The request as indented JSON, readable by `parse_config`."""
        return self.model_dump_json(indent=2)


def parse_config(text: str) -> RunConfig:
    """Read a `RunConfig` from JSON.

    Raises:
        ConfigError: One line for every setting that is wrong: where, what, and what was given.
    """
    try:
        return RunConfig.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(
            "C01",
            f"The configuration cannot be used: {config_mistakes(error)}",
            todo="Mend these settings; `python launch.py config` shows a complete example.",
        ) from error


def config_mistakes(error: ValidationError) -> str:
    """What is wrong with a configuration, one clause for every setting."""
    return "; ".join(map(_mistake, error.errors()))


def load_config(path: Path) -> RunConfig:
    """Read a `RunConfig` from a file; see `parse_config`."""
    try:
        return parse_config(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "C02", "The configuration file cannot be read", item=path.name, todo="Check its path."
        ) from error


def with_absolute_paths(config: RunConfig, base: Path) -> RunConfig:
    """The same request with its paths made absolute, for a worker that runs elsewhere.

    Args:
        config: The request; names that are no paths (a catalogue entry, 'demo') stay.
        base: What relative paths are relative to.
    """

    def absolute(text: str) -> str:
        path = Path(text).expanduser()
        named = text in {"", "demo"} or not (base / path).exists()
        return text if named else str((base / path).resolve())

    changed = {}
    for group, field in (path.split(".") for path in PATHS):
        settings = getattr(config, group)
        changed[group] = settings.model_copy(update={field: absolute(getattr(settings, field))})
    return config.model_copy(update=changed)


def _mistake(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the whole"
    given = (
        "" if error["type"] in {"missing", "json_invalid"} else f" (given: {error['input']!r:.60})"
    )
    return f"{where}: {error['msg']}{given}"
