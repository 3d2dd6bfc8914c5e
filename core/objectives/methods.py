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


def stages_in_use(method: Method, stages: int) -> list[int]:
    """Indices of the stages at which a method reprograms the teacher."""
    return {"none": [], "last": [stages - 1], "all": list(range(stages))}[method.stages]


def teacher_taps(stages: list[int], student_stages: int, taps: int) -> list[int]:
    """For each of the student's stages in use, the teacher's tap at the same relative depth."""
    return [max(0, round((stage + 1) / student_stages * taps) - 1) for stage in stages]
