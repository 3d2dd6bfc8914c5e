"""Teacher files: found, verified, read without running anything in them, matched or refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from core.errors import ModelError
from core.files import sha256_file
from core.teachers.base import Teacher, TeacherSpec, build_network
from core.teachers.formats.base import FORMATS, State
from core.tensors import read_tensors

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "teachers"
MATCHED = 0.95  # share of parameters that must be found in the file


def load_teacher(spec: TeacherSpec, cache: Path) -> Teacher:
    """Build the teacher and give it its weights.

    Args:
        spec: What it is.
        cache: Folder where files from the hub were put by `fetch_from_hub`.

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
    state = FORMATS.get(spec.format)(read_tensors(file, spec.name), network)
    fill_network(network, state, spec.name)
    return Teacher(spec.model_copy(update={"sha256": sha256}), network)


def teacher_file(spec: TeacherSpec, cache: Path) -> Path:
    """Where the weights are on this machine; see `load_teacher` for what is raised."""
    if spec.source == "bundled":
        file = BUNDLED / spec.location
    elif spec.source == "file":
        file = Path(spec.location)
    else:
        file = hub_target(spec, cache)
    if not file.is_file():
        todo = "Restore the file or choose another teacher."
        if spec.source == "hub":
            todo = (
                f"Fetch it once with `python launch.py fetch {spec.name}` on a connected machine."
            )
        raise ModelError("M20", "The teacher's file is not there", item=spec.name, todo=todo)
    return file


def hub_folder(spec: TeacherSpec, cache: Path) -> Path:
    """Where the files of a hub teacher's repository are kept."""
    return cache / "hub" / spec.location.partition(":")[0].replace("/", "--")


def hub_target(spec: TeacherSpec, cache: Path) -> Path:
    """Where a hub teacher's file is kept."""
    return hub_folder(spec, cache) / spec.location.partition(":")[2]


def fetch_from_hub(spec: TeacherSpec, cache: Path) -> Path:
    """Download a hub teacher, in a child process that alone may leave the machine.

    Call it only after the user has agreed to this one download.

    Raises:
        ModelError: There is no network, the repository is gated, or the file is not there (M25).
    """
    target = hub_target(spec, cache)
    repository, _, file = spec.location.partition(":")
    environment = {k: v for k, v in os.environ.items() if k not in {"HF_HUB_OFFLINE"}}
    environment["HF_HUB_DISABLE_TELEMETRY"] = "1"
    program = (
        "import sys; from huggingface_hub import hf_hub_download; "
        "hf_hub_download(sys.argv[1], sys.argv[2], local_dir=sys.argv[3])"
    )
    child = subprocess.run(
        [sys.executable, "-c", program, repository, file, str(hub_folder(spec, cache))],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode != 0 or not target.is_file():
        reason = (child.stderr.strip().splitlines() or ["no reason given"])[-1]
        gated = " Ask for access on its page and set HF_TOKEN." if spec.gated else ""
        raise ModelError(
            "M25",
            f"The teacher could not be fetched ({reason:.160})",
            item=spec.name,
            todo=f"Check the network, or copy the file to this machine by hand.{gated}",
        )
    return target


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
