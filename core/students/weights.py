"""Weights a student may start from: read without running anything in them, matched or refused."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor

from core.errors import ModelError
from core.files import sha256_file
from core.students.base import Student
from core.tensors import read_tensors

MATCHED = 0.95  # share of parameters, classifier aside, that must be found in the file
PREFIXES = ("module.", "_orig_mod.", "model.")
POSITIONS = "pos_embed"


@dataclass(frozen=True)
class StartingWeights:
    """What a student was started from.

    Attributes:
        sha256: Hash of the file.
        matched: Share of the parameters, classifier aside, that the file held, in [0, 1].
        fresh: Names of the parameters that kept their random values.
    """

    sha256: str
    matched: float
    fresh: tuple[str, ...]


def load_initial_weights(student: Student, path: Path) -> StartingWeights:
    """Start `student` from a file: timm's names or those of a Bedside export.

    The classifier is always left random: its classes are another task's.

    Args:
        student: Filled in place.
        path: ``.safetensors``, or a torch file of plain tensors.

    Raises:
        ModelError: The file is missing (M30), cannot be read (M22), fits under 95 % of the
            parameters (M33) or holds numbers that are not finite (M34).
    """
    if not path.is_file():
        raise ModelError(
            "M30", "The file with the starting weights is not there", todo="Check its path."
        )
    state = student.own_names(
        _without_prefixes(read_tensors(path, "the starting weights"), student)
    )
    own = student.state_dict()
    classifier = _classifier(student)
    fitting = {
        key: _fitted(key, tensor, own[key])
        for key, tensor in state.items()
        if key in own and key not in classifier
    }
    fitting = {key: tensor for key, tensor in fitting.items() if tensor.shape == own[key].shape}
    body = {k: p.numel() for k, p in student.named_parameters() if k not in classifier}
    matched = sum(count for key, count in body.items() if key in fitting) / sum(body.values())
    if matched < MATCHED:
        raise ModelError(
            "M33",
            f"Only {matched:.0%} of the student's parameters are in the file",
            todo="Choose weights of the same architecture, or start from scratch.",
        )
    if any(not torch.isfinite(tensor.float()).all() for tensor in fitting.values()):
        raise ModelError(
            "M34", "The starting weights hold numbers that are not finite", todo="Use another file."
        )
    student.load_state_dict({k: v.to(own[k].dtype) for k, v in fitting.items()}, strict=False)
    fresh = tuple(key for key in own if key not in fitting)
    return StartingWeights(sha256_file(path), matched, fresh)


def _without_prefixes(state: dict[str, Tensor], student: Student) -> dict[str, Tensor]:
    known = set(student.timm_names) | set(student.timm_names.values())
    for prefix in PREFIXES:
        stripped = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
        if len(known & stripped.keys()) > len(known & state.keys()):
            state = stripped
    return state


def _classifier(student: Student) -> set[str]:
    """Names of the last linear layer: the last two-dimensional weight and its bias."""
    weight = [key for key, p in student.head.named_parameters() if p.ndim == 2][-1]
    return {f"head.{weight}", f"head.{weight.removesuffix('weight')}bias"}


def _fitted(key: str, tensor: Tensor, own: Tensor) -> Tensor:
    """Position embeddings of another grid, or with a class token in front, are resampled."""
    if not key.endswith(POSITIONS) or tensor.ndim != 3 or tensor.shape == own.shape:
        return tensor
    if tensor.shape[2] != own.shape[2]:
        return tensor
    prefix = tensor.shape[1] - math.isqrt(tensor.shape[1]) ** 2
    grid = tensor[:, prefix:]
    sides = [math.isqrt(tokens.shape[1]) for tokens in (own, grid)]
    resampled: Tensor = resample_abs_pos_embed(
        grid.float(), [sides[0]] * 2, [sides[1]] * 2, num_prefix_tokens=0
    )
    return resampled
