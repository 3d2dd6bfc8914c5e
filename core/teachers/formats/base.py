"""A checkpoint format: how the names in a published file map to those of the timm network."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from core.registry import Registry

State = dict[str, Tensor]


class CheckpointFormat(Protocol):
    """Turns the tensors of a file into tensors named as the network names them."""

    def __call__(self, state: State, network: nn.Module) -> State:
        """Return `state` renamed (and, where needed, reshaped) for `network`; load nothing."""


FORMATS: Registry[CheckpointFormat] = Registry("checkpoint format", "core.teachers.formats")
