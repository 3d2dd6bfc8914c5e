"""Small values and protocols that several floors share."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Protocol

AlertLevel = Literal["info", "warning", "error"]


class Task(StrEnum):
    """What a label is: one class per image, or any number of findings."""

    MULTICLASS = "multiclass"
    MULTILABEL = "multilabel"


class SplitName(StrEnum):
    """The three groups of patients. The test group is sealed until it is opened on purpose."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Reporter(Protocol):
    """Where long work says how far it is. `core.runs.events` writes it to disk; tests keep a list.

    Work never learns who listens, so training does not depend on the run directory.
    """

    def phase(self, name: str, text: str) -> None:
        """Enter a phase, such as ``("import", "Reading 780 images")``."""

    def progress(self, done: int, total: int) -> None:
        """Say that `done` of `total` units of the current phase are finished."""

    def metric(self, name: str, value: float, *, step: int, epoch: float) -> None:
        """Record one scalar. A value that is not finite is recorded as missing."""

    def alert(self, level: AlertLevel, code: str, text: str) -> None:
        """Tell the user something that does not end the work."""

    def checkpoint(self, step: int, which: str) -> None:
        """Say that a checkpoint (``"last"`` or ``"best"``) is safely on disk."""

    def stop_requested(self) -> bool:
        """Whether the user asked to stop: finish the step, save, return."""

    def finish_requested(self) -> bool:
        """Whether the user asked to end training now and evaluate the best checkpoint."""


class SilentReporter:
    """A `Reporter` that says nothing and never stops."""

    def phase(self, name: str, text: str) -> None:
        """Ignore."""

    def progress(self, done: int, total: int) -> None:
        """Ignore."""

    def metric(self, name: str, value: float, *, step: int, epoch: float) -> None:
        """Ignore."""

    def alert(self, level: AlertLevel, code: str, text: str) -> None:
        """Ignore."""

    def checkpoint(self, step: int, which: str) -> None:
        """Ignore."""

    def stop_requested(self) -> bool:
        """Never."""
        return False

    def finish_requested(self) -> bool:
        """Never."""
        return False


class Stopped(Exception):
    """Raised by long work when `Reporter.stop_requested` turned true and all is saved."""
