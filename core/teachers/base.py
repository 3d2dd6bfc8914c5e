"""A teacher: a frozen network, what it expects of a picture, and what it may be used for."""

from __future__ import annotations

from typing import Any, Literal, Self

import timm
import torch
from pydantic import Field
from torch import Tensor, nn

from core.config import Settings
from core.errors import ModelError

Triple = tuple[float, float, float]


class TeacherSpec(Settings):
    """Everything about a teacher but its weights.

    The `source` says where they are: ``bundled`` (a file in ``assets/teachers``), ``file`` (a path
    of the user's), ``hub`` (a Hugging Face id, fetched once after the user agreed).
    """

    name: str = Field(description="Unique short name.")
    title: str = Field(description="Name shown to people.")
    architecture: str = Field(description="timm architecture.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of the architecture."
    )
    source: Literal["bundled", "file", "hub"]
    location: str = Field(description="File name, path, or hub id with the file after a colon.")
    sha256: str = Field("", description="Of the weights' file; empty where it is not known before.")
    format: str = Field(
        "timm", description="Checkpoint format: how its names map to the network's."
    )
    image_px: int = Field(ge=32, le=2048, description="Side of the input picture.")
    mean: Triple = Field(description="Subtracted from the picture in [0, 1].")
    std: Triple = Field(description="Divides the difference.")
    taps: tuple[int, ...] = Field(
        min_length=1, description="Indices of `forward_intermediates`, shallow to deep."
    )
    licence: str = Field(description="Short name of the licence of the weights.")
    licence_note: str = Field(description="What it means for a distilled student, in plain words.")
    gated: bool = Field(False, description="Whether the hub asks for an account and an agreement.")
    citation: str = Field("", description="How to cite it.")
    about: str = Field("", description="One sentence for a physician.")
    verified: bool = Field(
        False, description="Whether the entry was checked against the real file."
    )


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
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever an enclosing module is told."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[Tensor]:
        """Feature maps at the taps.

        Args:
            images: ``[N, C, S, S]`` float in [0, 1], S the teacher's `image_px`; one channel is
                repeated for the three it expects.

        Returns:
            One ``[N, C_i, H_i, W_i]`` map per tap; tokens come as maps, prefix tokens are dropped.
        """
        pictures = (images.expand(-1, 3, -1, -1) - self.mean) / self.std
        maps: list[Tensor] = self.network.forward_intermediates(  # type: ignore[operator]
            pictures,
            indices=list(self.spec.taps),
            norm=True,
            output_fmt="NCHW",
            intermediates_only=True,
        )
        return maps

    def map_shapes(self) -> list[tuple[int, int, int]]:
        """Channels, height and width of the map at every tap, asked of the network itself."""
        side = self.spec.image_px
        blank = torch.zeros(1, 1, side, side, device=self.mean.device)
        return [(found.shape[1], found.shape[2], found.shape[3]) for found in self(blank)]


def build_network(spec: TeacherSpec) -> nn.Module:
    """The architecture with random weights and no classifier; never asks the network.

    Raises:
        ModelError: timm does not know the architecture, or it has no intermediate maps.
    """
    options = dict(spec.options)
    if spec.architecture.startswith(("vit_", "deit", "beit", "eva")):
        options["img_size"] = spec.image_px
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
