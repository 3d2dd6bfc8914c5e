"""An unknown checkpoint: what its names and shapes say, and what they cannot.

Candidates are built on the meta device, where a network of a billion parameters takes no memory,
and compared by names and shapes. What no shape tells (mean and std above all) is asked of the user;
`core.teachers.adopt` then takes the file in. Called in a process of its own, as it needs torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.errors import ModelError
from core.teachers.base import build_network
from core.teachers.beside import Triple, read_beside, weights_file
from core.teachers.catalogue import list_teachers
from core.teachers.checkpoint import MATCHED, match_network, plain_teacher
from core.teachers.formats.base import FORMATS, Guess, State
from core.teachers.shards import weights_sha256
from core.teachers.spec import TeacherSpec
from core.tensors import read_shapes

TAPS = 4
SHOWN = 20  # names that are listed


@dataclass(frozen=True)
class Proposal:
    """What a file seems to be. Plain values only: it is passed on as JSON.

    Attributes:
        file: Name of the file, without its folder.
        sha256: Of the file, or of all parts.
        format: A name in `FORMATS`.
        format_title: The same for people.
        architecture: A timm architecture.
        options: Its keyword arguments.
        image_px: Side of the picture.
        in_chans: Its channels.
        taps: Depths at which features are taken.
        parameters: Of the network.
        share: Of its parameters that are in the file, in [0, 1].
        missing: Names of the network that are not in the file.
        unexpected: Names in the file that the network has no use for.
        unknown: What has to be asked: "mean", "std", "licence"; "activation", "heads" and
            "image_px" have a usual value that may be wrong.
        mean: As a description beside the file says, or None.
        std: Likewise.
        said_by: Which description said it, or "".
        like: Entries of the catalogue with the same network; naming one answers the rest.
    """

    file: str
    sha256: str
    format: str
    format_title: str
    architecture: str
    options: dict[str, Any]
    image_px: int
    in_chans: int
    taps: tuple[int, ...]
    parameters: int
    share: float
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    unknown: tuple[str, ...]
    mean: Triple | None
    std: Triple | None
    said_by: str
    like: tuple[str, ...]

    def as_facts(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def recognise(place: Path, cache: Path) -> Proposal:
    """Say what a file is, from its names and shapes alone.

    Args:
        place: A file of weights, the index of several, or a folder with one or the other.
        cache: The folder of the teachers in the workspace.

    Raises:
        ModelError: M20 to M37, M50 or M51, the file cannot be read or is a student; M39, no
            network that Bedside knows has these names.
    """
    file = weights_file(place)
    if not file.is_file():
        raise ModelError("M20", "The teacher's file is not there", item=file.name)
    sha256 = weights_sha256(file)
    state = read_shapes(plain_teacher(file, sha256, cache, file.name), file.name)
    best: Proposal | None = None
    for name, guess in _candidates(state):
        found = _propose(name, guess, state, file, sha256)
        if best is None or _rank(found) > _rank(best):
            best = found
        if best.share == 1 and not best.missing and not best.unexpected:
            break
    if best is None or best.share < MATCHED:
        raise _unknown(best, state, file.name)
    return replace(best, like=_alike(best))


def _candidates(state: State) -> Iterator[tuple[str, Guess]]:
    """Every format that knows these names, timm's own last, with what it may be."""
    for name in sorted(FORMATS.names(), key=lambda name: name == "timm"):
        if FORMATS.get(name).recognises(state):
            for guess in FORMATS.get(name).guess(state):
                yield name, guess


def _propose(name: str, guess: Guess, state: State, file: Path, sha256: str) -> Proposal:
    """Build a candidate on the meta device and compare."""
    beside = read_beside(file)
    if "image_px" in guess.unknown and beside.image_px:
        guess = replace(guess, image_px=beside.image_px)
    spec = _spec(file.name, name, guess)
    with torch.device("meta"):
        network = build_network(spec)
    match = match_network(network, FORMATS.get(name).convert(state, network))
    asked = [fact for fact in ("mean", "std") if getattr(beside, fact) is None] + ["licence"]
    return Proposal(
        file=file.name,
        sha256=sha256,
        format=name,
        format_title=FORMATS.get(name).title,
        architecture=guess.architecture,
        options=guess.options,
        image_px=guess.image_px,
        in_chans=spec.in_chans,
        taps=_taps(network),
        parameters=sum(p.numel() for p in network.parameters()),
        share=match.share,
        missing=(*match.missing, *match.misshapen)[:SHOWN],
        unexpected=match.unexpected[:SHOWN],
        unknown=(*asked, *guess.unknown),
        mean=beside.mean,
        std=beside.std,
        said_by=beside.said_by,
        like=(),
    )


def _rank(proposal: Proposal) -> tuple[float, int, int]:
    return proposal.share, -len(proposal.missing), -len(proposal.unexpected)


def _taps(network: nn.Module) -> tuple[int, ...]:
    """Four depths, evenly: the last of each quarter."""
    info: Any = network.feature_info
    depth = len(info)
    return tuple(depth * (place + 1) // TAPS - 1 for place in range(TAPS)) if depth > TAPS else (
        tuple(range(depth))
    )  # fmt: skip


def _alike(best: Proposal) -> tuple[str, ...]:
    """Entries of the catalogue with a network of the same names and shapes."""
    own = _shapes(best.architecture, best.options, best)
    facts = (best.format, best.image_px, best.in_chans, best.taps[-1])
    return tuple(
        entry.name
        for entry in list_teachers()
        if entry.source != "bundled"
        and (entry.format, entry.image_px, entry.in_chans, entry.taps[-1]) == facts
        and _shapes(entry.architecture, entry.options, best) == own
    )


def _shapes(architecture: str, options: dict[str, Any], best: Proposal) -> dict[str, torch.Size]:
    spec = _spec(best.file, best.format, Guess(architecture, options, best.image_px, best.in_chans))
    with torch.device("meta"):
        network = build_network(spec)
    return {key: tensor.shape for key, tensor in network.state_dict().items()}


def _spec(file: str, name: str, guess: Guess) -> TeacherSpec:
    """A specification that is good for building the network, and for nothing else."""
    return TeacherSpec(
        name=file, title=file, architecture=guess.architecture, options=guess.options,
        source="file", location=file, format=name, image_px=guess.image_px, mean=(0, 0, 0),
        std=(1, 1, 1), taps=(0,), licence="", licence_note="",
        in_chans=1 if guess.in_chans == 1 else 3,
    )  # fmt: skip


def _unknown(best: Proposal | None, state: State, item: str) -> ModelError:
    some = ", ".join(list(state)[:5])
    nearest = (
        f"; the nearest is {best.architecture}, of which {best.share:.0%} are there" if best else ""
    )
    return ModelError(
        "M39",
        f"No network that Bedside knows has these names (such as {some}){nearest}",
        item=item,
        todo="Write a card by hand if timm knows the network; CONTRIBUTING.md shows the fields.",
    )
