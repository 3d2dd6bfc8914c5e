"""One optimiser step: its gradients in as few parts as memory allows, and only if it is finite.

Nothing here waits for a graphics card: whether the loss and the gradient are finite decides the
card itself, and the program learns of it later (`core.training.figures`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from core.config import TrainSettings
from core.errors import TrainingError
from core.memory import within_memory
from core.training.batches import Batch
from core.training.handlers import decay_groups
from core.training.model import DistillationModel

FEWEST = 2  # images in a part: a norm over one value of each channel is undefined

Loss = Callable[[Batch], tuple[Tensor, dict[str, Tensor]]]
"""From a batch to its total loss and, for the log, every figure by name."""


class Stepper:
    """Takes optimiser steps on one model.

    Args:
        model: Student and phi; moved to the fabric's device.
        fabric: Device and precision.
        settings: Decay of the weights, and where gradients are clipped.

    Attributes:
        wrapped: The model behind the fabric's precision.
        optimiser: AdamW in one fused operation.
        parts: In how many parts a batch is computed; doubled whenever memory is too small.
    """

    def __init__(self, model: DistillationModel, fabric: Fabric, settings: TrainSettings) -> None:
        adamw = torch.optim.AdamW(decay_groups(model, settings.weight_decay), fused=True)
        self.model = model
        self.wrapped, self.optimiser = fabric.setup(model, adamw)
        self.parts = 1
        self._adamw = adamw
        self._fabric = fabric
        self._clip = settings.clip
        self._buffers = list(model.buffers())
        self._before = [buffer.clone() for buffer in self._buffers]

    def take(self, batch: Batch, loss: Loss, seed: int, rate: float) -> dict[str, Tensor]:
        """Take one step; nothing changes if its loss or its gradient is not finite.

        Args:
            batch: On the fabric's device.
            loss: Computes it, or a part of it.
            seed: Of dropout and drop path, if the student has any.
            rate: Learning rate.

        Returns:
            The figures of `loss`, averaged over the parts, and ``finite``: whether it was.

        Raises:
            TrainingError: Memory is too small even for two images (T44).
        """
        with torch.no_grad():
            torch._foreach_copy_(self._before, self._buffers)
        shown = within_memory(
            lambda: self._gradients(batch, loss, seed), lambda: self._divide(len(batch.images))
        )
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self._clip)
        finite = torch.isfinite(shown["loss"]) & torch.isfinite(norm)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        # what torch made for the scaling of losses: with it AdamW leaves every weight as it is
        self._adamw.found_inf = (~finite).float()  # type: ignore[attr-defined]
        self.optimiser.step()
        self._keep_statistics(finite)
        return shown | {"finite": finite}

    def _gradients(self, batch: Batch, loss: Loss, seed: int) -> dict[str, Tensor]:
        """Sum the gradients of all parts, each weighted by its share of the images."""
        torch.manual_seed(seed)
        with torch.no_grad():
            torch._foreach_copy_(self._buffers, self._before)
        self.optimiser.zero_grad(set_to_none=True)
        shown: dict[str, Tensor] = {}
        for part in batch.parts(self.parts):
            share = len(part.images) / len(batch.images)
            total, found = loss(part)
            self._fabric.backward(total * share)
            for name, value in found.items():
                shown[name] = shown.get(name, 0) + share * value.detach()
        return shown

    def _divide(self, images: int) -> None:
        if images // (2 * self.parts) < FEWEST:
            raise TrainingError(
                "T44",
                f"The memory is too small to train on {max(FEWEST, images // self.parts)} images "
                "at a time",
                todo="Choose a smaller student or smaller pictures, or close other programs.",
            )
        self.parts *= 2

    @torch.no_grad()
    def _keep_statistics(self, finite: Tensor) -> None:
        """Take the running statistics of a skipped step back: its forward pass has moved them."""
        for value, before in zip(self._buffers, self._before, strict=True):
            value.copy_(torch.where(finite, value, before))
