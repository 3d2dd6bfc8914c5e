"""Methods by name: which objectives, at which of the student's stages. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import ConfigError
from core.types import Task

Use = Literal["hybrid", "maps", "errors", "probe"]
PREDICTING = ("guidance", "hint")  # objectives for which the errors are computed


@dataclass(frozen=True)
class Method:
    """A named combination of objectives.

    Attributes:
        title: Name for people.
        about: One sentence for a physician.
        terms: Names of the objectives.
        stages: Stages at which the teacher is looked at.
        uses: What a step computes for the terms besides the student's own pass: the hybrid passes
            of the reprogrammed teacher, the student's maps as they are, the errors of predicting
            the teacher's maps from them, the teacher's answers by its linear probe.
        fewest_classes: One class per image and at least so many of them; 0 takes findings too.
        adapts: Whether the teacher is fitted to the labels before it teaches.
    """

    title: str
    about: str
    terms: tuple[str, ...]
    stages: Literal["none", "last", "all"]
    uses: tuple[Use, ...] = ()
    fewest_classes: int = 0
    adapts: bool = False

    @property
    def needs_teacher(self) -> bool:
        """Whether a step uses the teacher's features."""
        return self.stages != "none"

    @property
    def reprograms(self) -> bool:
        """Whether the teacher's maps go through phi and the student's later stages."""
        return "hybrid" in self.uses

    @property
    def curves(self) -> tuple[str, ...]:
        """Names of the curves that a training by this method records."""
        terms = [f"loss/{term}" for term in self.terms]
        total = ["loss"] if len(terms) > 1 else []
        likeness = ["cka/teacher"] if self.needs_teacher else []
        likeness += ["cka/reprogrammed"] if self.reprograms else []
        return ("validation/auroc", "validation/loss", *total, *terms, *likeness)


METHODS = {
    "rd": Method(
        "Reprogramming Distillation",
        "The student learns from your labels and from the teacher's view of each image.",
        ("task", "hybrid", "agreement", "cka"),
        "last",
        ("hybrid",),
    ),
    "drd": Method(
        "Deep Reprogramming Distillation",
        "As Reprogramming Distillation, at every stage of the student, which at first also learns "
        "to predict the teacher's features there; slower.",
        ("task", "hybrid", "agreement", "cka", "guidance"),
        "all",
        ("hybrid", "errors"),
    ),
    "student_only": Method(
        "Student only",
        "The student learns from your labels alone; the yardstick for everything else.",
        ("task",),
        "none",
    ),
    "kd": Method(
        "Knowledge Distillation",
        "The student learns to answer as the teacher does, once that has been fitted to your "
        "labels with one linear layer.",
        ("task", "kd"),
        "last",
        ("probe",),
    ),
    "lora_kd": Method(
        "LoRA, then Knowledge Distillation",
        "The teacher is first fitted to your labels by small adapters, then teaches as in "
        "Knowledge Distillation; slow with a large teacher.",
        ("task", "kd"),
        "last",
        ("probe",),
        adapts=True,
    ),
    "hint": Method(
        "Hint (FitNets)",
        "The student's features are trained to predict the teacher's, place by place.",
        ("task", "hint"),
        "last",
        ("errors",),
    ),
    "sp": Method(
        "Similarity-Preserving Distillation",
        "Images that look alike to the teacher should look alike to the student.",
        ("task", "sp"),
        "last",
        ("maps",),
    ),
    "rkd": Method(
        "Relational Distillation",
        "The distances and angles between images should be the teacher's.",
        ("task", "rkd_distance", "rkd_angle"),
        "last",
    ),
    "dist": Method(
        "DIST",
        "The student's answers should rank classes and images as the teacher's do; for three "
        "classes or more.",
        ("task", "dist"),
        "last",
        ("probe",),
        fewest_classes=3,
    ),
    "cka_only": Method(
        "CKA only",
        "The student's features are drawn towards the teacher's own, without reprogramming them.",
        ("task", "cka"),
        "last",
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


def require_suitable(name: str, task: Task, classes: int) -> None:
    """Refuse a method that is undefined for these labels.

    Raises:
        ConfigError: C18, it needs one class per image, and more classes than there are.
    """
    method = find_method(name)
    if method.fewest_classes and (task is Task.MULTILABEL or classes < method.fewest_classes):
        there = "several findings" if task is Task.MULTILABEL else f"{classes} classes"
        raise ConfigError(
            "C18",
            f"{method.title} compares how {method.fewest_classes} classes or more are ranked, and "
            f"these images have {there}",
            item=name,
            todo="Choose another method, such as 'kd' or 'rd'.",
        )


def stages_in_use(method: Method, stages: int) -> list[int]:
    """Indices of the stages at which a method looks at the teacher."""
    return {"none": [], "last": [stages - 1], "all": list(range(stages))}[method.stages]


def teacher_taps(stages: list[int], student_stages: int, taps: int) -> list[int]:
    """For each of the student's stages in use, the teacher's tap at the same relative depth."""
    return [max(0, round((stage + 1) / student_stages * taps) - 1) for stage in stages]
