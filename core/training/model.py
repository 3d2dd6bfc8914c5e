"""The student and phi as one module: every pass a training step needs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from core.objectives.methods import Method, stages_in_use
from core.students.base import Student, guard_batch_norm
from core.tensors import at_least_float32
from core.training.reprogram import ProjectorReprogram, ResidualReprogram


@dataclass(frozen=True)
class Passes:
    """What one forward pass gives; logits and pooled maps as in `objectives.base.StepOutputs`."""

    logits: Tensor
    hybrid: list[Tensor]
    student: list[Tensor]
    reprogrammed: list[Tensor]


class DistillationModel(nn.Module):
    """A student, and for each stage in use a phi. Only the student is ever deployed.

    Args:
        student: The network to be trained.
        method: Says at which stages the teacher is reprogrammed.
        teacher_maps: Channels, height and width of the teacher's map for each stage in use.
        image_px: Side of the student's input.
    """

    def __init__(
        self,
        student: Student,
        method: Method,
        teacher_maps: list[tuple[int, int, int]],
        image_px: int,
    ) -> None:
        super().__init__()
        self.student = student
        self.stages = stages_in_use(method, len(student.stages))
        kind = ProjectorReprogram if method.stages == "all" else ResidualReprogram
        grids = student.grid(image_px)
        self.phi: nn.ModuleList = nn.ModuleList(
            kind(shape[0], student.channels[stage], grids[stage], student.positive)
            for stage, shape in zip(self.stages, teacher_maps, strict=True)
        )

    def forward(self, images: Tensor, teacher_maps: list[Tensor]) -> tuple[Tensor, ...]:
        """Run the student's own pass and, for each stage in use, the hybrid pass.

        The hybrid passes normalise by their own batch but leave the running statistics of the
        student's layers alone: those must describe the student's own pass, which is deployed.

        Args:
            images: ``[B, C, S, S]`` float in [0, 1].
            teacher_maps: The teacher's map for each stage in use, ``[B, C_t, h, w]``.

        Returns:
            ``(logits, hybrid..., student..., reprogrammed...)``, flat because that is what
            `unpack` and lightning-fabric's precision plugin understand.
        """
        maps = self.student.encode(images)
        logits = self.student.tail(maps[-1], len(maps) - 1)
        reprogrammed = [phi(found) for phi, found in zip(self.phi, teacher_maps, strict=True)]
        with guard_batch_norm(self.student):
            hybrid = [
                self.student.tail(found, stage)
                for found, stage in zip(reprogrammed, self.stages, strict=True)
            ]
        own = [maps[stage].mean((2, 3)) for stage in self.stages]
        return (logits, *hybrid, *own, *(found.mean((2, 3)) for found in reprogrammed))

    def unpack(self, outputs: tuple[Tensor, ...]) -> Passes:
        """Name the parts of what `forward` returned, no less exact than float32."""
        logits, *rest = (at_least_float32(output) for output in outputs)
        count = len(self.stages)
        return Passes(logits, rest[:count], rest[count : 2 * count], rest[2 * count :])
