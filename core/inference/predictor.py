"""An exported student at work: pictures in, probabilities out, by torch or by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import onnxruntime
import safetensors
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from core.data.augment import clean_view
from core.errors import ModelError
from core.inference.card import ONNX_FILE, WEIGHTS_FILE, ModelCard, open_card
from core.students.base import Student, build_student
from core.students.spec import STUDENTS
from core.types import Task

BATCH = 32  # pictures per pass; bounds the memory, not the answer
ROUNDING = 1e-4  # resizing and scaling may step over the ends of [0, 1] by this much
Probabilities = NDArray[np.float32]


class Classifier(Protocol):
    """What predicts: the same card, pictures and answer whatever runs the network."""

    card: ModelCard

    def probabilities(self, images: Tensor) -> Probabilities:
        """Probabilities ``[N, classes]`` of pictures ``[N, C, S, S]`` float32 in [0, 1].

        The pictures may have any size; they are resized as in training.

        Raises:
            ModelError: M46, the pictures do not suit the model.
        """


class Predictor:
    """A student in torch.

    Args:
        student: The network, on the processor; put into evaluation mode.
        card: Its description.
    """

    def __init__(self, student: Student, card: ModelCard) -> None:
        self.student = student.eval()
        self.card = card

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an exported model; its weights are verified, matched and checked, or refused.

        Args:
            folder: Folder of the export.

        Raises:
            ModelError: See `open_card`; besides, the weights are damaged (M43), do not fit the
                student (M44) or are not finite (M45), or the student is unknown here (M47).
        """
        card = open_card(folder, WEIGHTS_FILE)
        return cls(_load_student(folder / WEIGHTS_FILE, card), card)

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Probabilities:
        """See `Classifier`."""
        parts = [to_probabilities(self.student(part), self.card.task).numpy() for part in
                 _prepared(images, self.card)]  # fmt: skip
        return _joined(parts, self.card)


class OnnxPredictor:
    """The same student in ONNX Runtime, on the processor.

    Args:
        session: The opened network.
        card: Its description.
    """

    def __init__(self, session: onnxruntime.InferenceSession, card: ModelCard) -> None:
        self.session = session
        self.card = card

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an exported model.

        Args:
            folder: Folder of the export.

        Raises:
            ModelError: See `open_card`; besides, M48, the ONNX file cannot be opened.
        """
        card = open_card(folder, ONNX_FILE)
        onnxruntime.disable_telemetry_events()  # nothing leaves the machine, on Windows either
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # what matters is raised; the log quotes paths
        try:
            session = onnxruntime.InferenceSession(
                (folder / ONNX_FILE).read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions share no base of their own
            raise ModelError(
                "M48",
                "The ONNX file cannot be opened",
                item=ONNX_FILE,
                todo="Export the model once more.",
            ) from error
        return cls(session, card)

    def probabilities(self, images: Tensor) -> Probabilities:
        """See `Classifier`."""
        parts = [
            self.session.run(["probabilities"], {"image": part.contiguous().numpy()})[0]
            for part in _prepared(images, self.card)
        ]
        return _joined(parts, self.card)


def to_probabilities(logits: Tensor, task: Task) -> Tensor:
    """Softmax for one class per image, sigmoid for any number of findings; ``[N, classes]``."""
    return logits.softmax(dim=1) if task is Task.MULTICLASS else logits.sigmoid()


def prepare(images: Tensor, card: ModelCard) -> Tensor:
    """Pictures as the model's input.

    Args:
        images: ``[N, 1 or 3, S, S]`` float32 in [0, 1], of any side; grey becomes colour for a
            model that learned from colour.
        card: Says which channels and side it wants.

    Returns:
        ``[N, card.channels, card.image_px, card.image_px]`` float32 in [0, 1].

    Raises:
        ModelError: M46, the pictures are of another kind, or not numbers in [0, 1].
    """
    if images.ndim != 4 or images.shape[2] != images.shape[3] or images.shape[1] not in (1, 3):
        raise _unsuited("A model's input is square pictures of one or three channels")
    if images.shape[1] > card.channels:
        raise _unsuited("The picture has colours, and the model learned from grey pictures")
    if images.dtype != torch.float32:
        raise _unsuited("The picture's values are not 32-bit floating-point numbers")
    if len(images) and not (images.min() >= -ROUNDING and images.max() <= 1 + ROUNDING):
        raise _unsuited("The picture's values are not numbers from 0 to 1")
    return clean_view(images, card.image_px).expand(-1, card.channels, -1, -1)


def _unsuited(what: str) -> ModelError:
    return ModelError(
        "M46", what, todo="Use pictures of the kind the model was trained on, read by Bedside."
    )


def _prepared(images: Tensor, card: ModelCard) -> list[Tensor]:
    return list(torch.split(prepare(images.cpu(), card), BATCH)) if len(images) else []


def _joined(parts: list[Any], card: ModelCard) -> Probabilities:
    if not parts:
        return np.zeros((0, len(card.classes)), dtype=np.float32)
    return np.concatenate(parts).astype(np.float32, copy=False)


def _load_student(file: Path, card: ModelCard) -> Student:
    if card.student not in STUDENTS.names():
        raise ModelError(
            "M47",
            f"This version of Bedside does not know the student {card.student!r}",
            todo="Update Bedside, or use the ONNX file.",
        )
    with torch.random.fork_rng(devices=[]):  # opening a model changes no later random draw
        student = build_student(card.student, len(card.classes), card.image_px)
    try:
        state = student.own_names(load_file(file))
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelError(
            "M43",
            "The model's weights are damaged",
            item=WEIGHTS_FILE,
            todo="Copy the whole folder again, or export once more.",
        ) from error
    _require_fit(state, student)
    student.load_state_dict(state)
    return student


def _require_fit(state: dict[str, Tensor], student: Student) -> None:
    own = student.state_dict()
    missing = own.keys() - state.keys()
    unexpected = state.keys() - own.keys()
    unlike = [
        key
        for key in own.keys() & state.keys()
        if own[key].shape != state[key].shape or own[key].dtype != state[key].dtype
    ]
    if missing or unexpected or unlike:
        raise ModelError(
            "M44",
            "The weights do not fit the student the card names: "
            f"{len(missing)} missing, {len(unexpected)} unknown, {len(unlike)} of another shape",
            item=WEIGHTS_FILE,
            todo="Card and weights belong to different models; copy the whole folder again.",
        )
    if not all(bool(torch.isfinite(tensor).all()) for tensor in state.values()):
        raise ModelError(
            "M45",
            "The weights hold numbers that are not finite",
            item=WEIGHTS_FILE,
            todo="The training went wrong or the file is damaged; export another checkpoint.",
        )
