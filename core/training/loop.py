"""The training loop, plain from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from core.config import RunConfig
from core.errors import SystemError_, TrainingError
from core.objectives.base import OBJECTIVES
from core.objectives.cka import FEWEST
from core.objectives.methods import PREDICTING, Method
from core.training.ahead import Ahead
from core.training.batches import Batch, TrainingBatches
from core.training.checkpoint import CheckpointFolder, Loaded
from core.training.figures import Figures, LateFigures
from core.training.handlers import EarlyStopping, NonFiniteGuard, learning_rate
from core.training.model import DistillationModel
from core.training.step import Stepper
from core.training.validate import Validated, Validation
from core.types import Reporter, Stopped, Task

STEPS_A_SAVE = 20  # to write a ResNet-18 with its optimiser takes half a step on two cores


@dataclass(frozen=True)
class TrainJob:
    """Everything one training needs.

    Attributes:
        config: The request.
        method: Which objectives, at which stages.
        task: Of the data set.
        class_weights: ``[C]`` float32.
        batches: Training images.
        validation: Validation images.
        checkpoints: Where the state is kept.
        reporter: Who is told.
    """

    config: RunConfig
    method: Method
    task: Task
    class_weights: Tensor
    batches: TrainingBatches
    validation: Validation
    checkpoints: CheckpointFolder
    reporter: Reporter

    @property
    def steps(self) -> int:
        """Steps of the whole schedule."""
        return self.batches.steps_per_epoch * self.config.train.epochs

    def weights(self, step: int) -> dict[str, float]:
        """Weight of every objective at step `step`; those that weigh nothing are absent."""
        weights = {
            name: OBJECTIVES.get(name).weight(self.config.method, step / self.steps)
            for name in self.method.terms
        }
        return {name: weight for name, weight in weights.items() if weight}


class Trainer:
    """One model in training: owns what changes from step to step.

    Args:
        job: What is trained on what.
        model: Student and phi; moved to the fabric's device.
        fabric: Device and precision.
    """

    def __init__(self, job: TrainJob, model: DistillationModel, fabric: Fabric) -> None:
        # moved once: to move them in every step would make each wait for a graphics card
        self.job = replace(job, class_weights=job.class_weights.to(fabric.device))
        self.fabric = fabric
        self.model = model
        self.stepper = Stepper(model, fabric, job.config.train)
        self.wrapped, self.optimiser = self.stepper.wrapped, self.stepper.optimiser
        self.stopping = EarlyStopping(job.config.train.patience)
        self.guard = NonFiniteGuard()
        self.finished = False
        self._safe = 0  # the last step that is on the disk
        self._owed = False  # whether the disk refused a checkpoint
        self._figures = LateFigures(fabric.device)
        self._ahead = Ahead(
            lambda step: self.job.batches.batch(step),
            fabric.device,
            beside=fabric.device.type != "cpu",
        )

    def run(self) -> None:
        """Train from the newest checkpoint, or from the start, to the end.

        Raises:
            Stopped: The reporter asked to stop; the state is saved.
            TrainingError: The loss stayed non-finite after two returns to a checkpoint (T40).
        """
        self._warn_of_small_batches()
        step = self._resume()
        self.wrapped.train()
        while step < self.job.steps and not self.finished:
            if self.job.reporter.stop_requested():
                self._catch_up()
                self.save(step)
                raise Stopped
            if self.job.reporter.finish_requested():
                break
            before, step = step, self.step(step)
            self.job.reporter.progress(step, self.job.steps)
            if step > before and step % self.job.batches.steps_per_epoch == 0:
                step = self.end_epoch(step)
        self.finished = True
        self._catch_up()
        if self.job.checkpoints.best() is None:  # ended within the first epoch, or it is damaged
            self.stopping.best = -math.inf
            self._validate(step)
        self.save(step)

    def step(self, step: int) -> int:
        """Take optimiser step `step` and return the number of the next."""
        train = self.job.config.train
        rate = learning_rate(step, self.job.steps, train.learning_rate, train.warmup)
        rate *= self.guard.rate_factor
        parts = self.stepper.parts
        shown = self.stepper.take(
            self._ahead.take(step, step + 1 if step + 1 < self.job.steps else None),
            lambda part: self.loss(part, step),
            train.seed * 1_000_003 + step,
            rate,
        )
        if self.stepper.parts > parts:
            self._warn_of_memory()
        self._figures.put(step, rate, shown)
        for figures in self._figures.due():
            self._report(figures)
        if self.guard.must_roll_back:
            return self._roll_back(step)
        return step + 1

    def loss(self, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The total loss of step `step` on a batch, and the total and every term for the log."""
        weights = self.job.weights(step)
        terms = loss_terms(self.job, self.model, self.wrapped, batch, weights)
        total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        shown = {"loss": total} | {f"loss/{name}": term for name, term in terms.items()}
        return total, {name: term.detach() for name, term in shown.items()}

    def _report(self, figures: Figures) -> None:
        values = dict(figures.values)
        self.guard.note(bool(values.pop("finite")))
        epoch = (figures.step + 1) / self.job.batches.steps_per_epoch
        for name, value in (values | {"learning_rate": figures.rate}).items():
            self.job.reporter.metric(name, value, step=figures.step, epoch=epoch)

    def _catch_up(self) -> None:
        """Report what a graphics card has computed and nobody has read yet."""
        for figures in self._figures.rest():
            self._report(figures)

    def _warn_of_memory(self) -> None:
        size = self.job.batches.batch_size
        self.job.reporter.alert(
            "warning",
            "T25",
            f"The memory is too small for {size} images at once; each step computes them in "
            f"{self.stepper.parts} parts",
        )
        self._warn_of_small_batches()

    def _warn_of_small_batches(self) -> None:
        size = self.job.batches.batch_size // self.stepper.parts
        if size < FEWEST and "cka" in self.job.method.terms:
            self.job.reporter.alert(
                "warning",
                "T23",
                f"{size} images at once are too few for the CKA term; it is left out",
            )

    def end_epoch(self, step: int) -> int:
        """Validate after the last step of an epoch, save if it is due; returns the next step."""
        self._catch_up()
        if self.guard.must_roll_back:
            return self._roll_back(step)
        self._validate(step)
        return step

    def _validate(self, step: int) -> None:
        found = self.job.validation.measure(self.model, self.fabric.device)
        self._report_validation(found, step)
        before = self.stopping.best
        best = self.stopping.improved(found.figure)
        if self.stopping.exhausted(step / self.job.steps):
            self.finished = True
            self.job.reporter.alert(
                "info",
                "T21",
                f"Stopped early: no better validation figure for {self.stopping.waited} epochs",
            )
        if not (best or self._owed or self._save_is_due(step)):
            return
        try:
            self.save(step, best=best, epoch_end=True)
        except SystemError_ as error:  # there may be room again; until then nothing is lost
            self._owed = True
            self.stopping.best = before  # what the disk holds is still the best there is
            self.job.reporter.alert(
                "warning",
                "T26",
                f"{error.what}; training goes on and tries to save again. "
                f"Until then a resumed run would go on from step {self._safe}",
            )

    def _save_is_due(self, step: int) -> bool:
        """Whether an epoch that is not the best is saved: where epochs are short, not every one is.

        A function of the step, as all that may change the training: from a loss that is no number
        it returns to what an epoch's end has saved.
        """
        each = self.job.batches.steps_per_epoch
        return step // each % -(-STEPS_A_SAVE // each) == 0

    def _report_validation(self, found: Validated, step: int) -> None:
        epoch = step / self.job.batches.steps_per_epoch
        figures = {"validation/auroc": found.auroc, "validation/loss": found.loss}
        if self.job.method.needs_teacher:
            figures["cka/teacher"] = found.cka_teacher
        if self.job.method.reprograms:
            figures["cka/reprogrammed"] = found.cka_reprogrammed
        for name, value in figures.items():
            self.job.reporter.metric(name, value, step=step, epoch=epoch)

    def save(self, step: int, *, best: bool = False, epoch_end: bool = False) -> None:
        """Keep the state after `step` steps as the newest checkpoint, and as the best if it is."""
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": step,
            "stopping": self.stopping.state(),
            "guard": self.guard.state(),
            "parts": self.stepper.parts,
            "finished": self.finished,
        }
        self.job.checkpoints.save(state, step, best=best, epoch_end=epoch_end)
        self._safe, self._owed = step, False
        self.job.reporter.checkpoint(step, "best" if best else "last")

    def _resume(self) -> int:
        loaded = self.job.checkpoints.newest()
        if loaded is None:
            return 0
        if loaded.damaged:
            self.job.reporter.alert(
                "warning",
                "T22",
                f"The checkpoint of step {loaded.damaged[0]} is damaged; "
                f"training goes on from the one before it, of step {loaded.step}",
            )
        self._restore(loaded)
        self._safe = loaded.step
        return loaded.step

    def _restore(self, loaded: Loaded) -> None:
        self.model.load_state_dict(loaded.state["model"])
        self.optimiser.load_state_dict(loaded.state["optimiser"])
        for group in self.optimiser.param_groups:
            group["fused"] = True  # a checkpoint of an earlier version says otherwise
        self.stopping.restore(loaded.state["stopping"])
        self.guard.restore(loaded.state["guard"])
        self.stepper.parts = max(self.stepper.parts, int(loaded.state.get("parts", 1)))
        self.finished = bool(loaded.state["finished"])

    def _roll_back(self, step: int) -> int:
        loaded = self.job.checkpoints.of_epoch()  # the newest would depend on when one stopped
        if self.guard.exhausted or loaded is None:
            raise TrainingError(
                "T40",
                f"The loss is no longer a number at step {step}, after "
                f"{self.guard.rollbacks} returns to an earlier checkpoint",
                todo="Lower the learning rate, or look for images without content.",
            )
        self._figures.forget()
        self._restore(loaded)
        self.guard.roll_back()
        self.job.reporter.alert(
            "warning",
            "T41",
            f"The loss was not a number for several steps; went back to step {loaded.step} "
            "with half the learning rate",
        )
        return loaded.step


def loss_terms(
    job: TrainJob,
    model: DistillationModel,
    wrapped: nn.Module,
    batch: Batch,
    names: Iterable[str],
) -> dict[str, Tensor]:
    """Objectives of the method on one batch, before their weight.

    Args:
        job: Method, task, class weights and settings.
        model: The model itself, which knows how to name its outputs.
        wrapped: The same model behind the fabric's precision.
        batch: On the fabric's device.
        names: Those wanted.

    Returns:
        Objective name to float32 scalar; a term undefined for this batch is absent.
    """
    errors = not set(names).isdisjoint(PREDICTING)
    passes = model.unpack(wrapped(batch.images, batch.teacher_maps, errors))
    outputs = passes.beside(batch, job.task, job.class_weights.to(batch.images.device))
    terms = {name: OBJECTIVES.get(name)(outputs, job.config.method) for name in names}
    return {name: term for name, term in terms.items() if term is not None}
