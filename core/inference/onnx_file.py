"""The student as one ONNX file that normalises, classifies and describes itself."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from core.inference.card import ModelCard
from core.inference.predictor import to_probabilities
from core.students.base import Student
from core.types import Task

EXPORTERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")


class _Answer(nn.Module):
    """Picture to logits and probabilities."""

    def __init__(self, student: Student, task: Task) -> None:
        super().__init__()
        self.student = student
        self.task = task

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.student(image)
        return logits, to_probabilities(logits, self.task)


def write_onnx(student: Student, card: ModelCard, file: Path) -> None:
    """Write `student` with the batch size left open.

    Input ``image``: ``[N, C, S, S]`` float32 in [0, 1], C and S as in the card. Outputs ``logits``
    and ``probabilities``: ``[N, classes]``.

    Args:
        student: Any device and mode; left as it is.
        card: Described in the file's metadata.
        file: Where to; replaced.
    """
    answer = _Answer(copy.deepcopy(student).cpu().float(), card.task).eval()
    answer.to(memory_format=torch.contiguous_format)
    example = torch.zeros(2, card.channels, card.image_px, card.image_px)
    with _silence():
        program = torch.onnx.export(
            answer,
            (example,),
            dynamo=True,
            input_names=["image"],
            output_names=["logits", "probabilities"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    if program is None:
        raise TypeError("torch.onnx.export returned no program although no file was named")
    model = program.model_proto
    _forget_origins(model)
    for name, text in _facts(card).items():
        model.metadata_props.add(key=name, value=text)
    onnx.checker.check_model(model)
    onnx.save_model(model, file)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporter's remarks on its own internals away from the user's console.

    It warns of deprecations inside torch and onnxscript and logs its optimiser's passes; none of
    it is about the model, which is checked afterwards by running it.
    """
    levels = {name: logging.getLogger(name).level for name in EXPORTERS}
    for name in EXPORTERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for category in (DeprecationWarning, FutureWarning):
                warnings.filterwarnings(
                    "ignore", category=category, module=r"(torch|onnxscript|onnx_ir|copyreg)(\.|$)"
                )
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _forget_origins(model: onnx.ModelProto) -> None:
    """Drop the stack traces the exporter attaches: they hold paths of this machine."""
    graph = model.graph
    parts = [graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for function in model.functions:
        parts += [function, *function.node, *function.value_info]
    for part in parts:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.ClearField("metadata_props")
    model.ClearField("doc_string")


def _facts(card: ModelCard) -> dict[str, str]:
    """What somebody who has nothing but this file needs to know."""
    return {
        "notice": card.notice,
        "classes": json.dumps(card.classes, ensure_ascii=False),
        "task": card.task.value,
        "input": f"[N, {card.channels}, {card.image_px}, {card.image_px}] float32 in [0, 1]",
        "preparation": card.pixels.model_dump_json(),
        "teacher": f"{card.teacher.title} ({card.teacher.licence})" if card.teacher else "none",
        "synthetic": str(card.synthetic).lower(),
        "run": card.run,
    }
