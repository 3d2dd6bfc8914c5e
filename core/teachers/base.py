"""A teacher: a frozen network, what it expects of a picture, and what it may be used for."""

from __future__ import annotations

import functools
import sys
from typing import Any, Literal, Self

import timm
import torch
from timm.layers.mlp import SwiGLUPacked
from timm.layers.norm import LayerNorm
from torch import Tensor, nn

from core.errors import ModelError
from core.memory import within_memory
from core.teachers.spec import TeacherSpec
from core.tensors import at_least_float32

Precision = Literal["float32", "bfloat16"]
MLP_LAYERS = {"SwiGLUPacked": SwiGLUPacked}


class Teacher(nn.Module):
    """The frozen network behind one `TeacherSpec`.

    It is in evaluation mode for good and needs no gradient; it normalises pictures itself, so that
    the student's preprocessing can never be applied to it by mistake.

    Args:
        spec: What it is.
        network: A timm network with `forward_intermediates` and without a classifier.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: TeacherSpec, network: nn.Module) -> None:
        super().__init__()
        self.spec = spec
        self.network = network
        self.register_buffer("mean", torch.tensor(spec.mean)[None, :, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(spec.std)[None, :, None, None], persistent=False)
        self._at_once = sys.maxsize  # pictures; fewer once memory was too small
        self._shapes: list[tuple[int, int, int]] | None = None
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever an enclosing module is told."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor, precision: Precision = "float32") -> list[Tensor]:
        """Feature maps at the taps.

        Args:
            images: ``[N, C, S, S]`` float in [0, 1], S the teacher's `image_px`; one channel is
                repeated for a teacher that expects three, three are averaged for one.
            precision: Arithmetic of the network.

        Returns:
            One ``[N, C_i, H_i, W_i]`` map per tap, no less exact than float32; tokens come as maps,
            prefix tokens are dropped.

        Raises:
            ModelError: The memory is too small for one picture (M03).
        """
        half = precision == "bfloat16"
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
            maps = within_memory(lambda: self._in_parts(images), lambda: self._halve(len(images)))
        return [at_least_float32(found) for found in maps]

    def _in_parts(self, images: Tensor) -> list[Tensor]:
        parts = [self.look(part) for part in torch.split(images, self._at_once)]
        if len(parts) == 1:
            return parts[0]
        return [torch.cat(maps) for maps in zip(*parts, strict=True)]

    def _halve(self, images: int) -> None:
        at_once = min(images, self._at_once)
        if at_once == 1:
            raise ModelError(
                "M03",
                "The memory is too small for this teacher to look at one picture",
                item=self.spec.name,
                todo="Choose a smaller teacher, or close other programs.",
            )
        self._at_once = at_once // 2

    def look(self, images: Tensor) -> list[Tensor]:
        """As `forward`, but all at once and with a gradient where a part of the network has one."""
        maps: list[Tensor] = self.network.forward_intermediates(  # type: ignore[operator]
            self.prepare(images),
            indices=list(self.spec.taps),
            norm=True,
            output_fmt="NCHW",
            intermediates_only=True,
        )
        return maps

    def prepare(self, images: Tensor) -> Tensor:
        """The picture as the network was trained on it, ``[N, in_chans, S, S]``.

        Args:
            images: ``[N, C, S, S]`` float in [0, 1], C one or three.
        """
        if self.spec.stretch:
            darkest = images.amin((1, 2, 3), keepdim=True)
            span = images.amax((1, 2, 3), keepdim=True) - darkest
            images = (images - darkest) / span.clamp_min(1e-8)  # as MedSAM's own preprocessing
        if self.spec.in_chans == 3:
            images = images.expand(-1, 3, -1, -1)
        elif images.shape[1] == 3:
            images = images.mean(1, keepdim=True)
        black, white = self.spec.value_range
        channels = self.spec.in_chans
        return (images * (white - black) + black - self.mean[:, :channels]) / self.std[:, :channels]

    def map_shapes(self) -> list[tuple[int, int, int]]:
        """Channels, height and width of the map at every tap, asked of the network itself."""
        if self._shapes is None:  # asked once: a large network takes a second to answer
            side = self.spec.image_px
            blank = torch.zeros(1, 1, side, side, device=self.mean.device)
            self._shapes = [(maps.shape[1], maps.shape[2], maps.shape[3]) for maps in self(blank)]
        return self._shapes


def build_network(spec: TeacherSpec) -> nn.Module:
    """The architecture with random weights and no classifier; never asks the network.

    Raises:
        ModelError: timm does not know the architecture, or it has no intermediate maps.
    """
    options = _python_options(spec.options)
    if spec.architecture.startswith(("vit_", "deit", "beit", "eva")):
        options["img_size"] = spec.image_px
    if spec.in_chans != 3:
        options["in_chans"] = spec.in_chans
    try:
        network: nn.Module = timm.create_model(
            spec.architecture, pretrained=False, num_classes=0, **options
        )
    except (RuntimeError, TypeError) as error:
        raise ModelError(
            "M01",
            f"The architecture {spec.architecture!r} cannot be built",
            item=spec.name,
            todo="Use a name that timm knows, such as 'resnet50' or 'vit_base_patch16_224'.",
        ) from error
    if not hasattr(network, "forward_intermediates"):
        raise ModelError(
            "M02",
            f"The architecture {spec.architecture!r} gives no feature maps",
            item=spec.name,
            todo="Choose one with feature maps, such as a ResNet, ConvNeXt, DenseNet or ViT.",
        )
    return network


def _python_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options as timm takes them: what a text file can only name becomes the thing itself."""
    made = dict(options)
    if "norm_eps" in made:
        made["norm_layer"] = functools.partial(LayerNorm, eps=made.pop("norm_eps"))
    if made.get("mlp_layer") in MLP_LAYERS:
        made["mlp_layer"] = MLP_LAYERS[made["mlp_layer"]]
    return made
