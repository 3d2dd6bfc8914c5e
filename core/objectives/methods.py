"""Methods by name: which objectives, at which of the student's stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import ConfigError


@dataclass(frozen=True)
class Method:
    """A named combination of objectives.

    Attributes:
        title: Name for people.
        about: One sentence for a physician.
        terms: Names of the objectives.
        stages: Stages at which the teacher is reprogrammed.
    """

    title: str
    about: str
    terms: tuple[str, ...]
    stages: Literal["none", "last", "all"]

    @property
    def needs_teacher(self) -> bool:
        """Whether a step uses the teacher's features."""
        return self.stages != "none"


METHODS = {
    "rd": Method(
        "Reprogramming Distillation",
        "The student learns from your labels and from the teacher's view of each image.",
        ("task", "hybrid", "agreement", "cka"),
        "last",
    ),
    "drd": Method(
        "Deep Reprogramming Distillation",
        "As Reprogramming Distillation, at every stage of the student; slower.",
        ("task", "hybrid", "agreement", "cka"),
        "all",
    ),
    "student_only": Method(
        "Student only",
        "The student learns from your labels alone; the yardstick for everything else.",
        ("task",),
        "none",
    ),
}


def find_method(name: str) -> Method:
    """The method called `name`.

    Raises:
        ConfigError: There is none; the message lists those there are.
    """
    if name not in METHODS:
        raise ConfigError(
            "C12", f"There is no method called {name!r}", todo=f"Known: {', '.join(METHODS)}."
        )
    return METHODS[name]
