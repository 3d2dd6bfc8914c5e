"""Teacher files: found, verified, read without running anything in them, matched or refused."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from core.errors import ModelError
from core.files import sha256_file
from core.teachers.base import Teacher, build_network
from core.teachers.formats.base import FORMATS, State
from core.teachers.spec import TeacherSpec, teacher_file
from core.tensors import read_tensors

MATCHED = 0.95  # share of parameters that must be found in the file


def load_teacher(spec: TeacherSpec, cache: Path) -> Teacher:
    """Build the teacher and give it its weights.

    Args:
        spec: What it is.
        cache: Folder where files from the hub were put by `core.teachers.fetch`.

    Returns:
        The frozen teacher on the processor.

    Raises:
        ModelError: The file is missing (M20), is not the one described (M21), cannot be read
            (M22), does not fit the architecture (M23) or holds numbers that are not finite (M24).
    """
    file = teacher_file(spec, cache)
    sha256 = sha256_file(file)
    if spec.sha256 and sha256 != spec.sha256:
        raise ModelError(
            "M21",
            "The teacher's file is not the one its description names (its checksum differs)",
            item=spec.name,
            todo="Fetch the file again; it may be damaged or another version.",
        )
    with torch.random.fork_rng(devices=[]):  # what a file lacks is random, but the same each time
        torch.manual_seed(0)
        network = build_network(spec)
    state = FORMATS.get(spec.format).convert(read_tensors(file, spec.name), network)
    fill_network(network, state, spec.name)
    return Teacher(spec.model_copy(update={"sha256": sha256}), network)


def fill_network(network: nn.Module, state: State, name: str) -> None:
    """Copy `state` into `network`, or refuse.

    A `strict=False` load of names that do not match fills nothing and says nothing; several public
    repositories distil from random weights that way (`reference/method.md` f.2).

    Raises:
        ModelError: Under 95 % of the parameters matched (M23) or a tensor is not finite (M24).
    """
    own = network.state_dict()
    fitting = {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
    parameters = dict(network.named_parameters())
    total = sum(p.numel() for p in parameters.values())
    matched = sum(p.numel() for key, p in parameters.items() if key in fitting)
    if matched < MATCHED * total:
        missing = [key for key in own if key not in fitting]
        unexpected = [key for key in state if key not in fitting]
        raise ModelError(
            "M23",
            f"Only {matched / total:.0%} of the network's parameters are in the file; "
            f"missing: {_some(missing)}; unexpected: {_some(unexpected)}",
            item=name,
            todo="Check that the architecture and the format are those of the file.",
        )
    broken = [key for key, tensor in fitting.items() if not torch.isfinite(tensor.float()).all()]
    if broken:
        raise ModelError(
            "M24", f"The file holds numbers that are not finite: {_some(broken)}", item=name
        )
    network.load_state_dict({k: v.to(own[k].dtype) for k, v in fitting.items()}, strict=False)


def _some(names: list[str]) -> str:
    return (
        ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "none"
    )
