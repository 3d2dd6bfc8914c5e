"""From a trained student to files that others can use, checked against one another."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from core.config import RunConfig
from core.data.manifest import Dataset
from core.errors import ExportError
from core.files import sha256_file, write_bytes, write_json, write_text
from core.inference.card import (
    CARD_FILE,
    ONNX_FILE,
    PARITY_FILE,
    README_FILE,
    WEIGHTS_FILE,
    ModelCard,
    TeacherNote,
    bedside_version,
    read_card,
)
from core.inference.onnx_file import write_onnx
from core.inference.predictor import OnnxPredictor, Predictor
from core.inference.readme import readme_text
from core.students.base import Student, normalisation
from core.students.spec import STUDENTS
from core.teachers.base import Teacher

TOLERANCE = 1e-4  # largest difference of any probability between the files


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        max_difference: Largest difference of any probability between the student in memory, its
            reloaded weights and the ONNX file, over the probe pictures.
        tolerance: What was allowed.
        agrees: Whether it stayed below that; a result that does not is raised, not returned.
        images: Number of probe pictures.
    """

    max_difference: float
    tolerance: float
    agrees: bool
    images: int


def model_card(config: RunConfig, dataset: Dataset, teacher: Teacher | None, run: str) -> ModelCard:
    """Describe the student that run `run` trained; thresholds come later, from validation.

    Args:
        config: The run's request.
        dataset: What it was trained on.
        teacher: Who taught it, if anybody.
        run: Id of the run.
    """
    spec = STUDENTS.get(config.student.name)
    mean, std = normalisation(spec)
    weights = config.student.weights
    return ModelCard(
        student=spec.name,
        title=spec.title,
        architecture=spec.architecture,
        options=spec.architecture_options(len(dataset.classes), config.student.image_px),
        initial_weights=sha256_file(Path(weights)) if weights else "",
        classes=dataset.classes,
        task=dataset.task,
        channels=3 if dataset.channels == 3 else 1,
        image_px=config.student.image_px,
        pixels=dataset.pixels,
        mean=mean,
        std=std,
        teacher=None if teacher is None else _note(teacher),
        method=config.method.name,
        data_sha256=dataset.sha256,
        synthetic=dataset.synthetic,
        run=run,
        bedside_version=bedside_version(),
    )


def _note(teacher: Teacher) -> TeacherNote:
    spec = teacher.spec
    return TeacherNote(
        title=spec.title,
        licence=spec.licence,
        licence_note=spec.licence_note,
        licence_accepted=spec.licence_accepted,
        citation=spec.citation,
        sha256=spec.sha256,
    )


def export_student(
    student: Student, card: ModelCard, folder: Path, probe_images: Tensor
) -> ExportResult:
    """Write ``model.safetensors``, ``model.onnx``, ``model.json`` and ``README.txt``.

    The files are made and compared beside `folder` and enter it only when they agree; the card
    enters last, so that a folder with a card is complete.

    Args:
        student: The trained network; left as it is.
        card: Its description; the files' hashes are filled in here.
        folder: Where to; made when missing, an earlier export in it is replaced.
        probe_images: ``[N, C, S, S]`` float32 in [0, 1], at least one, of any side.

    Raises:
        ExportError: X01, the files do not agree; X02, there is nothing to compare them on; X03,
            the card describes another network; X04, the weights are not finite.
    """
    _require_sound(student, card, probe_images)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent) as made:
        draft = Path(made)
        save_file(student.timm_state(), draft / WEIGHTS_FILE, metadata={"bedside": "student"})
        write_onnx(student, card, draft / ONNX_FILE)
        files = {name: sha256_file(draft / name) for name in (ONNX_FILE, WEIGHTS_FILE)}
        card = card.model_copy(update={"files": files})
        write_text(draft / CARD_FILE, card.model_dump_json(indent=2))
        result = _compare(student, card, draft, probe_images)
        (folder / CARD_FILE).unlink(missing_ok=True)
        for name in files:
            write_bytes(folder / name, (draft / name).read_bytes())
    write_json(folder / PARITY_FILE, asdict(result))
    _write_card(folder, card)
    return result


def freeze_thresholds(folder: Path, thresholds: dict[str, float]) -> ModelCard:
    """Put the thresholds chosen on validation into an exported model's card and README.

    Args:
        folder: Folder of the export.
        thresholds: Class to probability in [0, 1]; a class may be absent.

    Raises:
        ModelError: M41, the card cannot be read.
        ValueError: A threshold belongs to no class, or is not in [0, 1].
    """
    facts = read_card(folder).model_dump() | {"thresholds": thresholds}
    card = ModelCard.model_validate(facts)
    _write_card(folder, card)
    return card


def _write_card(folder: Path, card: ModelCard) -> None:
    write_text(folder / README_FILE, readme_text(card))
    write_text(folder / CARD_FILE, card.model_dump_json(indent=2))


def _require_sound(student: Student, card: ModelCard, probe_images: Tensor) -> None:
    if len(probe_images) == 0:
        raise ExportError(
            "X02",
            "There is no picture on which the exported files could be compared",
            todo="Export with at least one validation image.",
        )
    if not all(bool(torch.isfinite(tensor).all()) for tensor in student.state_dict().values()):
        raise ExportError(
            "X04",
            "The student's weights hold numbers that are not finite",
            item=card.student,
            todo="The training went wrong; train again with a lower learning rate.",
        )
    described = [np.asarray(values, np.float32) for values in (card.mean, card.std)]
    own = [
        values.detach().cpu().float().flatten().numpy() for values in (student.mean, student.std)
    ]
    if not all(np.array_equal(left, right) for left, right in zip(described, own, strict=True)):
        raise ExportError(
            "X03",
            "The card describes another network than the one to be exported",
            item=card.student,
            todo="This is a mistake in Bedside; please report it.",
        )


def _compare(student: Student, card: ModelCard, draft: Path, images: Tensor) -> ExportResult:
    original = Predictor(copy.deepcopy(student).cpu().float(), card).probabilities(images)
    written = [backend.open(draft).probabilities(images) for backend in (Predictor, OnnxPredictor)]
    largest = max(float(np.abs(found - original).max()) for found in written)
    if not largest < TOLERANCE:
        raise ExportError(
            "X01",
            f"The exported files differ from the student by {largest:.2g} in a probability; "
            f"{TOLERANCE:g} is allowed",
            item=card.student,
            todo="Nothing was exported. Try again, or choose another student.",
        )
    return ExportResult(largest, TOLERANCE, True, len(images))
