"""The figures of steps, read when a graphics card has long computed them: no step waits."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

LAG = 8  # steps after which a card has finished one


@dataclass(frozen=True)
class Figures:
    """What one step showed.

    Attributes:
        step: Its number.
        rate: Its learning rate.
        values: Name to value.
    """

    step: int
    rate: float
    values: dict[str, float]


@dataclass(frozen=True)
class _Pending:
    step: int
    rate: float
    names: tuple[str, ...]
    values: Tensor
    ready: torch.cuda.Event | None

    def read(self) -> Figures:
        if self.ready is not None:
            self.ready.synchronize()
        return Figures(
            self.step, self.rate, dict(zip(self.names, self.values.tolist(), strict=True))
        )


class LateFigures:
    """Keeps the figures of the last steps on their way from the device.

    On the processor they are there at once and nothing is late.

    Args:
        device: Where the steps are computed.
    """

    def __init__(self, device: torch.device) -> None:
        self.lag = 0 if device.type == "cpu" else LAG
        self._pending: deque[_Pending] = deque()

    def put(self, step: int, rate: float, figures: dict[str, Tensor]) -> None:
        """Take in the figures of one step: scalars on the device."""
        values = torch.stack([value.float() for value in figures.values()])
        ready = None
        if values.is_cuda:
            fetched = torch.empty(values.shape, pin_memory=True)
            values = fetched.copy_(values, non_blocking=True)
            ready = torch.cuda.current_stream().record_event()
        self._pending.append(_Pending(step, rate, tuple(figures), values, ready))

    def due(self) -> list[Figures]:
        """Those that are old enough to be read without waiting, in order."""
        return self._read(self.lag)

    def rest(self) -> list[Figures]:
        """All that are left."""
        return self._read(0)

    def forget(self) -> None:
        """Drop what is left: training goes back to before it."""
        self._pending.clear()

    def _read(self, kept: int) -> list[Figures]:
        return [self._pending.popleft().read() for _ in range(len(self._pending) - kept)]
