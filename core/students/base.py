"""A student: a small network cut into a plain chain of stages, so that any stage can be re-entered.

Reprogramming puts its own map in the place of a stage's map and lets the student's later stages
and head finish the pass (`reference/method.md` b.1). The chain makes that one call: `tail`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import timm
import torch
from torch import Tensor, nn

from core.students.spec import STUDENTS, Cut, StudentSpec

Triple = tuple[float, float, float]


class Student(nn.Module):
    """A classifier from pictures in [0, 1] to logits, cut into stages.

    It normalises pictures itself, with the constants of its architecture.

    Args:
        network: The timm network whose modules `cut` holds; not kept.
        cut: The same modules as a chain.
        normalisation: Mean and standard deviation per channel, for pictures in [0, 1].
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, cut: Cut, normalisation: tuple[Triple, Triple]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(cut.stages)
        self.head = cut.head
        self.channels = cut.channels
        self.positive = cut.positive
        self.local = cut.local
        for name, values in zip(("mean", "std"), normalisation, strict=True):
            self.register_buffer(name, torch.tensor(values)[None, :, None, None], persistent=False)
        self.timm_names = _timm_names(self, network)

    def encode(self, images: Tensor) -> list[Tensor]:
        """Feature maps after every stage.

        Args:
            images: ``[B, 1 or 3, S, S]`` float in [0, 1]; one channel is repeated for three.

        Returns:
            One ``[B, C_i, H_i, W_i]`` map per stage, in the dtype of the pass.
        """
        found = (images.expand(-1, 3, -1, -1) - self.mean) / self.std
        maps = []
        for stage in self.stages:
            found = stage(found)
            maps.append(found)
        return maps

    def tail(self, feature_map: Tensor, stage: int) -> Tensor:
        """Finish the pass from the map of stage `stage`.

        Args:
            feature_map: ``[B, C_i, H_i, W_i]``, the student's own or a reprogrammed one.
            stage: Its index, from 0; the last index runs the head alone.

        Returns:
            Logits ``[B, classes]``.
        """
        for later in list(self.stages)[stage + 1 :]:
            feature_map = later(feature_map)
        logits: Tensor = self.head(feature_map)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[B, classes]`` of pictures ``[B, 1 or 3, S, S]`` float in [0, 1]."""
        return self.tail(self.encode(images)[-1], len(self.stages) - 1)

    @torch.no_grad()
    def grid(self, image_px: int) -> list[tuple[int, int]]:
        """Height and width of every stage's map, asked of the network itself.

        Args:
            image_px: Side of the picture; a ViT takes only the side it was built for.
        """
        training = self.training
        self.eval()
        try:
            maps = self.encode(torch.zeros(1, 1, image_px, image_px, device=self.mean.device))
        finally:
            self.train(training)
        return [(found.shape[2], found.shape[3]) for found in maps]

    def timm_state(self) -> dict[str, Tensor]:
        """All weights under the names timm gives them, on the processor, ready for safetensors."""
        own = self.state_dict()
        return {name: own[key].detach().cpu().contiguous() for key, name in self.timm_names.items()}

    def own_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`state` with timm's names turned into those of this module; other names stay."""
        names = {name: key for key, name in self.timm_names.items()}
        return {names.get(name, name): tensor for name, tensor in state.items()}


def _timm_names(student: Student, network: nn.Module) -> dict[str, str]:
    """From the names in a student's state to those in the state of the network it was cut from."""
    names = {id(tensor): name for name, tensor in network.state_dict(keep_vars=True).items()}
    own = student.state_dict(keep_vars=True)
    return {key: names[id(tensor)] for key, tensor in own.items()}


def build_student(name: str, classes: int, image_px: int) -> Student:
    """Build the student called `name` with random weights drawn from torch's generator.

    Args:
        name: A name in `STUDENTS`.
        classes: Number of logits.
        image_px: Side of the input picture.

    Raises:
        ConfigError: There is no such student (C10), or the side does not suit it (C30).
    """
    spec = STUDENTS.get(name)
    spec.require_px(image_px)
    network = timm.create_model(
        spec.architecture, pretrained=False, **spec.architecture_options(classes, image_px)
    )
    return Student(network, spec.cut(network), normalisation(spec))


def normalisation(spec: StudentSpec) -> tuple[Triple, Triple]:
    """Mean and standard deviation per channel that a student expects, for pictures in [0, 1]."""
    facts: Any = timm.get_pretrained_cfg(spec.architecture)
    return tuple(facts.mean), tuple(facts.std)


@contextlib.contextmanager
def guard_batch_norm(module: nn.Module) -> Iterator[None]:
    """Within, training passes use batch statistics and leave running statistics untouched.

    Hybrid passes run through layers that also serve the student's own pass; if they updated the
    running statistics, the deployed student would normalise with those of a mixture
    (`reference/method.md` b.2: 67.2 against 71.6 with the guard, paired over 12 seeds).
    A module in evaluation mode behaves as it does without the guard.
    """
    tracking = [part for part in module.modules() if getattr(part, "track_running_stats", False)]
    for part in tracking:
        part.track_running_stats = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for part in tracking:
            part.track_running_stats = True  # type: ignore[assignment]
