"""One behaviour, one small object with the state it needs to resume."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

PATIENT_UNTIL = 0.6  # share of the schedule before which training is never stopped early
ROW = 5  # non-finite steps in a row that send training back to its last checkpoint
ROLLBACKS = 2


@dataclass
class EarlyStopping:
    """Remembers the best validation figure and says when waiting longer is pointless.

    Attributes:
        patience: Epochs without improvement that are waited for; 0 never stops.
        best: Best figure so far; higher is better.
        waited: Epochs since then.
    """

    patience: int
    best: float = -math.inf
    waited: int = 0

    def improved(self, figure: float) -> bool:
        """Take in the figure of one epoch and say whether it is the best."""
        if figure > self.best:
            self.best, self.waited = figure, 0
            return True
        self.waited += 1
        return False

    def exhausted(self, progress: float) -> bool:
        """Whether to stop, `progress` in [0, 1] of the schedule being done."""
        return bool(self.patience) and progress >= PATIENT_UNTIL and self.waited >= self.patience

    def state(self) -> dict[str, float]:
        """What resuming needs."""
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, float]) -> None:
        """Continue from `state`."""
        self.best, self.waited = state["best"], int(state["waited"])


@dataclass
class NonFiniteGuard:
    """Keeps NaN and infinity out of the weights.

    One NaN gradient makes AdamW's weights and moments NaN for good, so a step whose loss or
    gradient is not finite is skipped. Five in a row mean the weights themselves are heading off:
    training goes back to the last checkpoint with half the learning rate, twice at most.

    Attributes:
        skipped: Steps skipped in all.
        row: Of them in a row, up to now.
        rollbacks: Times training went back.
    """

    skipped: int = 0
    row: int = 0
    rollbacks: int = 0

    def note(self, finite: bool) -> None:
        """Count one step, which was skipped if its loss or its gradient was not finite."""
        self.row = 0 if finite else self.row + 1
        self.skipped += not finite

    @property
    def must_roll_back(self) -> bool:
        """Whether too many steps in a row were not finite."""
        return self.row >= ROW

    @property
    def exhausted(self) -> bool:
        """Whether going back has been tried often enough."""
        return self.rollbacks >= ROLLBACKS

    @property
    def rate_factor(self) -> float:
        """What the learning rate is multiplied by."""
        return 0.5**self.rollbacks

    def roll_back(self) -> None:
        """Count one return to the last checkpoint."""
        self.rollbacks += 1
        self.row = 0

    def state(self) -> dict[str, int]:
        """What resuming needs."""
        return {"skipped": self.skipped, "row": self.row, "rollbacks": self.rollbacks}

    def restore(self, state: dict[str, int]) -> None:
        """Continue from `state`."""
        self.skipped, self.row = state["skipped"], state["row"]
        self.rollbacks = max(self.rollbacks, state["rollbacks"])


def learning_rate(step: int, steps: int, highest: float, warmup: float) -> float:
    """Linear warm-up, then a cosine to one thousandth of the highest rate.

    Args:
        step: From 0.
        steps: Of the whole schedule.
        highest: Rate after the warm-up.
        warmup: Share of the steps it takes, in [0, 1].
    """
    rising = max(1, round(warmup * steps))
    if step < rising:
        return highest * (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return highest * (0.001 + 0.999 * 0.5 * (1 + math.cos(math.pi * done)))


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weight decay for kernels and matrices, none for norms and biases."""
    kernels = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    return [
        {"params": kernels, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
