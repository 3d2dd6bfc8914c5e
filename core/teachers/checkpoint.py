"""Teacher files: found, verified, read without running anything in them, matched or refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from core.errors import ModelError
from core.teachers.base import Teacher, build_network
from core.teachers.beside import Picture, read_beside
from core.teachers.formats.base import FORMATS, State
from core.teachers.merging import merged_file
from core.teachers.shards import is_index, weights_sha256
from core.teachers.spec import TeacherSpec, not_a_teacher, teacher_file
from core.tensors import check_header, plain_file, read_tensors

MATCHED = 0.95  # share of parameters that must be found in the file
PLAIN = "plain"  # folder of what was saved anew as safetensors, by the hash of the original
ROLE, STUDENT = "bedside", "student"  # what an exported student's file says of itself


@dataclass(frozen=True)
class Match:
    """How far a file fills a network.

    Attributes:
        share: Of the parameters, in [0, 1].
        missing: Names of the network that are not in the file.
        unexpected: Names in the file that the network lacks.
        misshapen: Names that both have, in different shapes; each with the two shapes.
    """

    share: float
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[str, ...]


def load_teacher(spec: TeacherSpec, cache: Path) -> Teacher:
    """Build the teacher and give it its weights.

    Args:
        spec: What it is.
        cache: Folder where files from the hub were put by `core.teachers.fetch`.

    Returns:
        The frozen teacher on the processor.

    Raises:
        ModelError: The file or a part of it is missing (M20), is not the one described (M21),
            cannot be read (see `core.tensors` and `core.teachers.merging`), does not fit the
            architecture (M23, M31), holds numbers that are not finite (M24) or a student (M32).
    """
    file = teacher_file(spec, cache)
    sha256 = weights_sha256(file)
    if spec.sha256 and sha256 != spec.sha256:
        raise ModelError(
            "M21",
            "The teacher's file is not the one its description names (its checksum differs)",
            item=spec.name,
            todo="Fetch the file again; it may be damaged or another version.",
        )
    plain = plain_teacher(file, sha256, cache, spec.name)
    with torch.random.fork_rng(devices=[]):  # what a file lacks is random, but the same each time
        torch.manual_seed(0)
        network = build_network(spec)
    state = FORMATS.get(spec.format).convert(read_tensors(plain, spec.name), network)
    fill_network(network, state, spec.name)
    return Teacher(_as_described(spec, file).model_copy(update={"sha256": sha256}), network)


def _as_described(spec: TeacherSpec, file: Path) -> TeacherSpec:
    """With the mean and std that the description beside the file says, where one is named."""
    found = read_beside(file) if spec.described_by else Picture()
    if found.mean is None or found.std is None:
        return spec
    return spec.model_copy(update={"mean": found.mean, "std": found.std})


def plain_teacher(file: Path, sha256: str, cache: Path, item: str) -> Path:
    """The teacher's file as safetensors: itself, or a copy in `cache` made once.

    Raises:
        ModelError: It cannot be read (see `core.tensors` and `core.teachers.merging`), or holds a
            student (M32).
    """
    target = cache / PLAIN / f"{sha256}.safetensors"
    plain = merged_file(file, target) if is_index(file) else plain_file(file, target, item)
    refuse_student(plain, item)
    return plain


def refuse_student(file: Path, item: str) -> None:
    """Refuse a student that Bedside exported; its file says so itself.

    Raises:
        ModelError: M32.
    """
    _, noted = check_header(file, item)
    if noted.get(ROLE) == STUDENT:
        raise not_a_teacher(item)


def match_network(network: nn.Module, state: State) -> Match:
    """Compare names and shapes; reads no number, so both may be on the meta device."""
    own = network.state_dict()
    fitting = {key for key, tensor in state.items() if key in own and _fits(tensor, own[key])}
    parameters = dict(network.named_parameters())
    total = sum(p.numel() for p in parameters.values())
    matched = sum(p.numel() for key, p in parameters.items() if key in fitting)
    return Match(
        matched / total,
        tuple(key for key in own if key not in state and not key.endswith("num_batches_tracked")),
        tuple(key for key in state if key not in own),
        tuple(
            f"{key} (file {tuple(state[key].shape)}, network {tuple(own[key].shape)})"
            for key in own
            if key in state and key not in fitting
        ),
    )


def fill_network(network: nn.Module, state: State, name: str) -> None:
    """Copy `state` into `network`, or refuse.

    A `strict=False` load of names that do not match fills nothing and says nothing; several public
    repositories distil from random weights that way (`reference/method.md` f.2).

    Raises:
        ModelError: Under 95 % of the parameters matched (M23), or would if not for their shapes
            (M31), or a tensor is not finite (M24).
    """
    own = network.state_dict()
    match = match_network(network, state)
    if match.share < MATCHED:
        raise _refusal(match, name)
    fitting = {k: v for k, v in state.items() if k in own and _fits(v, own[k])}
    broken = [key for key, tensor in fitting.items() if not torch.isfinite(tensor.float()).all()]
    if broken:
        raise ModelError(
            "M24", f"The file holds numbers that are not finite: {_some(broken)}", item=name,
            todo="It is damaged, or its training failed; fetch it again or choose another.",
        )  # fmt: skip
    network.load_state_dict({k: v.to(own[k].dtype) for k, v in fitting.items()}, strict=False)


def _fits(given: torch.Tensor, own: torch.Tensor) -> bool:
    return given.shape == own.shape


def _refusal(match: Match, name: str) -> ModelError:
    if match.misshapen and len(match.misshapen) >= len(match.missing):
        return ModelError(
            "M31",
            f"The file's tensors have other shapes than the network's: {_some(match.misshapen)}",
            item=name,
            todo="The file is of a larger or smaller model; choose its architecture.",
        )
    return ModelError(
        "M23",
        f"Only {match.share:.0%} of the network's parameters are in the file; "
        f"missing: {_some(match.missing)}; unexpected: {_some(match.unexpected)}",
        item=name,
        todo="Check that the architecture and the format are those of the file.",
    )


def _some(names: list[str] | tuple[str, ...]) -> str:
    return (
        ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "none"
    )
