"""The next batch is prepared while the current step runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from core.training.batches import Batch


class Ahead:
    """Prepares the batch of the next step on a thread of its own.

    A batch is a function of its step alone, so it does not matter who makes it, or when: training
    with and without the thread is the same bit for bit. On a graphics card the thread has a stream
    of its own: copies from pinned memory and the making of views run beside the step.

    Args:
        make: Makes the batch of a step; may be called on the thread, but never twice at once.
        device: Where the networks are.
        beside: Whether to work beside the steps; otherwise a batch is made when it is taken.
    """

    def __init__(self, make: Callable[[int], Batch], device: torch.device, *, beside: bool) -> None:
        self._make = make
        self._device = device
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = ThreadPoolExecutor(1, "batches") if beside else None
        self._coming: tuple[int, Future[Batch]] | None = None

    def take(self, step: int, following: int | None = None) -> Batch:
        """The batch of `step`, on the device.

        Args:
            step: Any step; one that was not foreseen (training went back) is made now.
            following: The step whose batch will be wanted next; nothing at the end.
        """
        coming, self._coming = self._coming, None
        if coming is None:
            batch = self._prepare(step)
        else:
            batch = coming[1].result() if coming[0] == step else self._late(coming[1], step)
        self._arrive(batch)  # before more is given to the same stream
        if self._pool is not None and following is not None:
            self._coming = (following, self._pool.submit(self._prepare, following))
        return batch

    def _late(self, other: Future[Batch], step: int) -> Batch:
        """The batch of a step that was not foreseen, after the thread is done with the other."""
        if not other.cancel():
            other.exception()
        return self._prepare(step)

    def _prepare(self, step: int) -> Batch:
        if self._stream is None:
            return self._make(step).to(self._device)
        with torch.cuda.stream(self._stream):
            return self._make(step).pinned().to(self._device)

    def _arrive(self, batch: Batch) -> None:
        """Let the step's stream wait for the batch, not this program."""
        if self._stream is not None:
            stream = torch.cuda.current_stream(self._device)
            stream.wait_stream(self._stream)
            for tensor in batch.tensors:
                tensor.record_stream(stream)
