"""A checkpoint format: how the names in a published file map to those of the timm network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from core.registry import Registry

State = dict[str, Tensor]


@dataclass(frozen=True)
class Guess:
    """What the names and shapes in a file say about its network.

    Attributes:
        architecture: A timm architecture.
        options: Its keyword arguments.
        image_px: Side of the picture it was trained on, or the usual one where no shape tells.
        in_chans: Channels of the picture.
        unknown: What no shape tells and was taken as usual: "heads", "activation", "image_px".
    """

    architecture: str
    options: dict[str, Any] = field(default_factory=dict)
    image_px: int = 224
    in_chans: int = 3
    unknown: tuple[str, ...] = ()


class CheckpointFormat(Protocol):
    """Turns the tensors of a file into tensors named as the network names them.

    All three work on tensors of the ``meta`` device too: a file is recognised by shapes alone.

    Attributes:
        title: Name of the format for people.
    """

    title: str

    def recognises(self, state: State) -> bool:
        """Whether names that only this format has are there."""

    def guess(self, state: State) -> list[Guess]:
        """Networks that may fit, the likeliest first; asked only of what was recognised."""

    def convert(self, state: State, network: nn.Module) -> State:
        """Return `state` renamed (and, where needed, reshaped) for `network`; load nothing."""


FORMATS: Registry[CheckpointFormat] = Registry("checkpoint format", "core.teachers.formats")
