"""Fitting a teacher to the user's labels by low-rank adapters, before it teaches."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from core.config import RunConfig
from core.data.cache import PixelCache
from core.data.manifest import Dataset
from core.errors import TrainingError
from core.files import atomic_path
from core.objectives.base import task_loss
from core.teachers.base import Teacher
from core.teachers.lora import adapter_parameters, merged, save_adapter, with_adapter
from core.training.batches import TrainingBatches, class_weights
from core.training.handlers import learning_rate
from core.types import Reporter, SplitName, Stopped

WARM_UP = 0.05  # share of the steps


def adapt_teacher(
    config: RunConfig,
    dataset: Dataset,
    cache: PixelCache,
    teacher: Teacher,
    file: Path,
    reporter: Reporter,
) -> Teacher:
    """Train an adapter and a linear layer on the training images; the layer is not kept.

    The teacher sees a fresh view of each image in every pass. What is learned is saved after each
    pass, so an interrupted run goes on from there, and is a function of the configuration and the
    images alone.

    Args:
        config: The run's request.
        dataset: Manifest with splits; the training images alone are looked at.
        cache: Its pixels.
        teacher: Stays as it is.
        file: Keeps the adapter; where it exists nothing is trained.
        reporter: Told of progress; may ask to stop.

    Returns:
        A copy of the teacher with the adapter in its weights.

    Raises:
        Stopped: The reporter asked to stop.
        ModelError: M05, the teacher has no layers to adapt.
        TrainingError: T45, the loss is no number.
    """
    if not file.exists():
        fit = _Fit(config, dataset, cache, teacher, file)
        reporter.phase("adapt", f"Fitting the teacher to the labels in {fit.epochs} passes")
        save_adapter(fit.run(reporter), file)
        fit.unfinished.unlink(missing_ok=True)
    return merged(teacher, file)


class _Fit:
    """The adapter in training."""

    def __init__(
        self, config: RunConfig, dataset: Dataset, cache: PixelCache, teacher: Teacher, file: Path
    ) -> None:
        method, train = config.method, config.train
        device = teacher.mean.device
        torch.manual_seed(train.seed + 2)
        self.teacher = with_adapter(teacher, method.lora_rank, method.lora_alpha)
        width = teacher.map_shapes()[-1][0]
        self.head = nn.Linear(width, len(dataset.classes)).to(device)
        self.parameters = [*adapter_parameters(self.teacher), *self.head.parameters()]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=method.lora_rate, weight_decay=0.0)
        self.batches = TrainingBatches(dataset, cache, train, teacher.spec.image_px, None, device)
        self.epochs, self.rate = method.lora_epochs, method.lora_rate
        self.task = dataset.task
        weights = class_weights(dataset.part(SplitName.TRAIN), dataset, train.balance)
        self.class_weights = weights.to(device)
        self.unfinished = file.with_suffix(".unfinished")

    def run(self, reporter: Reporter) -> Teacher:
        per_epoch = self.batches.steps_per_epoch
        steps = per_epoch * self.epochs
        for step in range(self._restore() * per_epoch, steps):
            if reporter.stop_requested():
                raise Stopped
            self._step(step, steps)
            reporter.progress(step + 1, steps)
            if (step + 1) % per_epoch == 0:
                self._save((step + 1) // per_epoch)
        return self.teacher

    def _step(self, step: int, steps: int) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(step, steps, self.rate, WARM_UP)
        batch = self.batches.batch(step).to(self.teacher.mean.device)
        logits = self.head(self.teacher.look(batch.images)[-1].mean((2, 3)))
        loss = task_loss(logits, batch.targets, self.task, self.class_weights)
        if not bool(torch.isfinite(loss)):
            raise TrainingError(
                "T45",
                "Fitting the teacher to the labels left the range of numbers",
                todo="Choose a lower `lora_rate`.",
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()

    def _save(self, epochs: int) -> None:
        state = {"values": [value.detach() for value in self.parameters], "epochs": epochs}
        with atomic_path(self.unfinished) as temporary:
            torch.save(state | {"optimiser": self.optimiser.state_dict()}, temporary)

    def _restore(self) -> int:
        """How many passes an earlier attempt has done."""
        if not self.unfinished.exists():
            return 0
        state = torch.load(self.unfinished, weights_only=True, map_location="cpu")
        with torch.no_grad():
            for value, saved in zip(self.parameters, state["values"], strict=True):
                value.copy_(saved)
        self.optimiser.load_state_dict(state["optimiser"])
        return int(state["epochs"])
