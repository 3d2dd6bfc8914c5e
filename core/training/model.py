"""The student and phi as one module: every pass a training step needs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from core.objectives.base import StepOutputs
from core.objectives.methods import Method, stages_in_use
from core.students.base import Student, guard_batch_norm
from core.tensors import at_least_float32
from core.training.batches import Batch
from core.training.regress import Regressor
from core.training.reprogram import ProjectorReprogram, ResidualReprogram
from core.types import Task


@dataclass(frozen=True)
class Passes:
    """What one forward pass gives; each as in `objectives.base.StepOutputs`."""

    logits: Tensor
    hybrid: list[Tensor]
    student: list[Tensor]
    reprogrammed: list[Tensor]
    maps: list[Tensor]
    errors: list[Tensor]

    def beside(self, batch: Batch, task: Task, class_weights: Tensor) -> StepOutputs:
        """The same with what the batch holds: what a loss looks at."""
        return StepOutputs(
            task=task,
            targets=batch.targets,
            class_weights=class_weights,
            teacher=batch.teacher_maps,
            answers=batch.answers,
            **vars(self),
        )


class DistillationModel(nn.Module):
    """A student, and for each stage in use a phi or a regressor. Only the student is ever deployed.

    Args:
        student: The network to be trained.
        method: Says at which stages the teacher is looked at, and how.
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
        self._keeps_maps = "maps" in method.uses
        kind = ProjectorReprogram if method.stages == "all" else ResidualReprogram
        grids = student.grid(image_px)
        pairs = list(zip(self.stages, teacher_maps, strict=True))
        self.phi: nn.ModuleList = nn.ModuleList(
            kind(shape[0], student.channels[stage], grids[stage], student.positive)
            for stage, shape in pairs
            if method.reprograms
        )
        self.regressors: nn.ModuleList = nn.ModuleList(
            Regressor(student.channels[stage], shape[0], shape[1:])
            for stage, shape in pairs
            if "errors" in method.uses
        )

    def forward(
        self, images: Tensor, teacher_maps: list[Tensor], errors: bool = True
    ) -> tuple[Tensor, ...]:
        """Run the student's own pass and, for each stage in use, what the method needs besides.

        The hybrid passes normalise by their own batch but leave the running statistics of the
        student's layers alone: those must describe the student's own pass, which is deployed.

        Args:
            images: ``[B, C, S, S]`` float in [0, 1].
            teacher_maps: The teacher's map for each stage in use, ``[B, C_t, h, w]``.
            errors: Whether the regressors run, where there are any.

        Returns:
            The fields of `Passes` one after the other, flat because that is what lightning-fabric's
            precision plugin understands; `unpack` names them.
        """
        maps = self.student.encode(images)
        logits = self.student.tail(maps[-1], len(maps) - 1)
        own = [maps[stage] for stage in self.stages]
        reprogrammed = [phi(teacher_maps[place]) for place, phi in enumerate(self.phi)]
        with guard_batch_norm(self.student):
            hybrid = [
                self.student.tail(found, self.stages[place])
                for place, found in enumerate(reprogrammed)
            ]
        wrong = [
            regress(own[place], teacher_maps[place])
            for place, regress in enumerate(self.regressors if errors else ())
        ]
        pooled = [[found.mean((2, 3)) for found in each] for each in (own, reprogrammed)]
        kept = own if self._keeps_maps else []
        return (logits, *hybrid, *pooled[0], *pooled[1], *kept, *wrong)

    def unpack(self, outputs: tuple[Tensor, ...]) -> Passes:
        """Name the parts of what `forward` returned, no less exact than float32."""
        logits, *rest = (at_least_float32(output) for output in outputs)
        used, reprogrammed = len(self.stages), len(self.phi)
        kept = used if self._keeps_maps else 0
        parts = []
        for count in (reprogrammed, used, reprogrammed, kept):
            part, rest = rest[:count], rest[count:]
            parts.append(part)
        parts.append(rest)
        return Passes(logits, *parts)
