"""The zoo's entries: what each student is, readable without torch; `students.base` builds them.

A family's file in `core.students.zoo` imports torch inside its cut alone, so that the app's pages
can list the students in a process that never loads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.errors import ConfigError
from core.registry import Registry

if TYPE_CHECKING:
    from torch import nn

SMALLEST_PX, LARGEST_PX = 32, 1024


@dataclass(frozen=True)
class Cut:
    """Where a timm network is cut.

    Attributes:
        stages: Modules from map to map, each ``[B, C, H, W]``; the first takes the picture.
        head: From the last map to logits ``[B, classes]``: any convolution or norm after the last
            stage, pooling and classifier. A wide convolution belongs here, not in the last stage,
            so that the map which reprogramming has to produce stays narrow and cheap.
        channels: Channels of each stage's map.
        positive: Whether every stage ends in a ReLU, so that its map is never negative.
        local: Whether the head is a mean over places and one linear layer, and maps keep their
            places: what Grad-CAM presumes.
    """

    stages: tuple[nn.Module, ...]
    head: nn.Module
    channels: tuple[int, ...]
    positive: bool
    local: bool = False


@dataclass(frozen=True)
class StudentSpec:
    """One entry of the zoo: a timm architecture and how it is cut.

    Attributes:
        name: Unique short name, used in configurations.
        title: Name shown to people.
        family: Family shown to people.
        summary: One sentence for a physician.
        architecture: Name in timm.
        work: Multiply-adds of one picture of `default_px`, in millions: lists go by it.
        cut: Cuts the timm network.
        options: Keyword arguments of the architecture.
        default_px: Side of the input picture proposed to the user.
        patch_px: Above 1, the network is built for one side of the picture, a multiple of this.
    """

    name: str
    title: str
    family: str
    summary: str
    architecture: str
    work: int
    cut: Callable[[nn.Module], Cut]
    options: Mapping[str, Any] = field(default_factory=dict)
    default_px: int = 224
    patch_px: int = 1

    def architecture_options(self, classes: int, image_px: int) -> dict[str, Any]:
        """What ``timm.create_model`` is given besides the architecture's name."""
        sized = {"img_size": image_px} if self.patch_px > 1 else {}
        return {"num_classes": classes, **self.options, **sized}

    def nearest_px(self, image_px: int) -> int:
        """The side of a picture that suits this student and is nearest to `image_px`."""
        fitting = round(image_px / self.patch_px) * self.patch_px
        low = -(-SMALLEST_PX // self.patch_px) * self.patch_px
        high = LARGEST_PX // self.patch_px * self.patch_px
        return min(high, max(low, fitting))

    def require_px(self, image_px: int) -> None:
        """Refuse a side of the picture that does not suit this student.

        Raises:
            ConfigError: C30, naming one that does.
        """
        if image_px < SMALLEST_PX or image_px % self.patch_px:
            raise ConfigError(
                "C30",
                f"The student cannot look at pictures of {image_px} px",
                item=self.name,
                todo=f"Use {self.nearest_px(image_px)} px: at least {SMALLEST_PX}, and a multiple "
                f"of {self.patch_px}.",
            )


STUDENTS: Registry[StudentSpec] = Registry("student", "core.students.zoo")


def add_student(spec: StudentSpec, origin: str) -> StudentSpec:
    """File `spec` under its own name; `origin` is the module that does so (``__name__``)."""
    return STUDENTS.register(spec.name, origin)(spec)


def students_by_size() -> list[str]:
    """Names of all students, the one that computes least first."""
    return sorted(STUDENTS.names(), key=lambda name: STUDENTS.get(name).work)
