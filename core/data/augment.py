"""Views of an image: drawn as a pure function of (seed, image, view), applied separately.

Teacher and student see the same view, each at its own size, because both apply the same drawn
parameters. Nothing here keeps a state, so a resumed run draws what an uninterrupted one would.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

WHITE = 255  # the largest value of 8 bits
GROUP = 8  # pictures shown at a time on the processor


@dataclass(frozen=True)
class ViewRange:
    """Limits from which the parameters of a view are drawn, uniformly.

    Attributes:
        area: Smallest share of the picture a crop keeps, in (0, 1].
        turn_degrees: Largest rotation to either side.
        intensity: Largest relative change of contrast, and absolute of brightness on [0, 1].
        gamma: Largest change of log2 gamma.
        mirror: Whether half of the views are mirrored left to right. Off unless asked for: side
            carries meaning in many images.
        flip: Whether half are also turned upside down (pre-training only).
    """

    area: float = 1.0
    turn_degrees: float = 0.0
    intensity: float = 0.0
    gamma: float = 0.0
    mirror: bool = False
    flip: bool = False


RANGES = {
    "none": ViewRange(),
    "light": ViewRange(area=0.6, turn_degrees=10, intensity=0.15, gamma=0.3),
    "flips": ViewRange(area=0.6, turn_degrees=10, intensity=0.15, gamma=0.3, mirror=True),
    "strong": ViewRange(
        area=0.25, turn_degrees=45, intensity=0.4, gamma=1.0, mirror=True, flip=True
    ),
}


@dataclass(frozen=True)
class Views:
    """Drawn parameters of a batch of views.

    Attributes:
        geometry: ``[N, 2, 3]`` float32, output to input coordinates in [-1, 1] (`F.affine_grid`).
        tone: ``[N, 3]`` float32: contrast factor, brightness shift, gamma.
    """

    geometry: Tensor
    tone: Tensor


def draw_views(seed: int, images: Sequence[str], views: Sequence[int], kind: str) -> Views:
    """Draw one view for each image.

    Args:
        seed: Seed of the run (or of the feature store).
        images: Image ids, N of them.
        views: Number of the view for each image, N of them.
        kind: A key of `RANGES`.

    Returns:
        The same values for the same (seed, image, view, kind), on every machine.
    """
    limits = RANGES[kind]
    draws = np.stack(
        [_uniforms(f"{seed}/{image}/{view}") for image, view in zip(images, views, strict=True)]
    )
    return _parameters(torch.from_numpy(draws), limits)


def _uniforms(key: str) -> np.ndarray:
    """Eight independent uniform numbers in [0, 1), from the hash of `key`."""
    digest = hashlib.blake2b(key.encode("utf-8"), digest_size=64).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.float64) / 2.0**64


def _parameters(draws: Tensor, limits: ViewRange) -> Views:
    area, turn, across, down, mirror, contrast, brightness, gamma = draws.unbind(1)
    signed = [2 * draw - 1 for draw in (turn, across, down, contrast, brightness, gamma)]
    turn, across, down, contrast, brightness, gamma = signed
    scale = (1 - area * (1 - limits.area)).sqrt()
    angle = turn * math.radians(limits.turn_degrees)
    quarter = torch.floor(mirror * 4)  # 0..3: two independent coins
    left_right = torch.where((quarter % 2 == 1) & torch.tensor(limits.mirror), -1.0, 1.0)
    up_down = torch.where((quarter >= 2) & torch.tensor(limits.flip), -1.0, 1.0)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    room = 1 - scale
    geometry = torch.stack(
        [
            torch.stack([cos * left_right, -sin * up_down, across * room], dim=1),
            torch.stack([sin * left_right, cos * up_down, down * room], dim=1),
        ],
        dim=1,
    )
    tone = torch.stack(
        [
            1 + contrast * limits.intensity,
            brightness * limits.intensity,
            2 ** (gamma * limits.gamma),
        ],
        dim=1,
    )
    return Views(geometry.float(), tone.float())


def clean_view(images: Tensor, size_px: int) -> Tensor:
    """The picture itself at another size.

    Args:
        images: ``[N, C, S, S]`` float32 in [0, 1].
        size_px: Side of the result.

    Returns:
        ``[N, C, size_px, size_px]`` float32 in [0, 1]; `images` itself where the size is right.
    """
    if images.shape[-1] == size_px and images.shape[-2] == size_px:
        return images
    size = (size_px, size_px)
    return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


def apply_views(images: Tensor, views: Views, size_px: int) -> Tensor:
    """Show each image in its view.

    Args:
        images: ``[N, C, S, S]``, float32 in [0, 1] or uint8 in [0, 255], on any device.
        views: Parameters of N views.
        size_px: Side of the result. A smaller one is reached by `clean_view` first, so that no
            pixel is skipped; what a crop enlarges is interpolated.

    Returns:
        ``[N, C, size_px, size_px]`` float32 in [0, 1]; what lies outside the picture is 0.
    """
    if size_px < images.shape[-1]:
        images = clean_view(as_floats(images), size_px)
    # few pictures fit the processor's cache; a graphics card wants few and large operations
    group = GROUP if images.device.type == "cpu" else max(1, len(images))
    parts = (images, views.geometry, views.tone)
    groups = zip(*(torch.split(part, group) for part in parts), strict=True)
    shown = [_shown(*each, size_px=size_px) for each in groups]
    return shown[0] if len(shown) == 1 else torch.cat(shown)


def as_floats(images: Tensor) -> Tensor:
    """Pictures as float32 in [0, 1], from such or from uint8 in [0, 255]."""
    return images.float() / WHITE if images.dtype == torch.uint8 else images


def _shown(images: Tensor, geometry: Tensor, tone: Tensor, *, size_px: int) -> Tensor:
    tone = tone.to(images.device)[:, :, None, None, None]
    toned = _toned(as_floats(images), *tone.unbind(1))
    grid = _grid(geometry.to(images.device), size_px)
    return F.grid_sample(toned, grid, padding_mode="zeros", align_corners=False)


def _grid(geometry: Tensor, size_px: int) -> Tensor:
    """``[N, size_px, size_px, 2]`` coordinates: `F.affine_grid` without its matrix product."""
    steps = (2 * torch.arange(size_px, device=geometry.device) + 1) / size_px - 1
    across, down, shift = geometry[..., None, None].unbind(2)
    return (steps * across + (steps[:, None] * down + shift)).movedim(1, -1)


def _toned(values: Tensor, contrast: Tensor, brightness: Tensor, gamma: Tensor) -> Tensor:
    """Gamma, then contrast around the middle grey, then brightness; black stays black.

    Black is also what pictures are padded with, so the padding stays as in the clean picture.
    """
    bent = values.clamp(1e-6, 1).log_().mul_(gamma).exp_()  # a power, by its faster way
    bent.sub_(0.5).mul_(contrast).add_(brightness + 0.5).clamp_(0, 1)
    return bent.mul_(values.sign())


def view_for_epoch(seed: int, image: str, epoch: int, views: int) -> int:
    """Which stored view epoch `epoch` shows of an image: a permutation of the K views, cycled.

    Args:
        seed: Seed of the run.
        image: Image id.
        epoch: Epoch, from 0.
        views: K, how many views are stored.
    """
    order = np.random.Generator(np.random.PCG64(_integer(f"{seed}/{image}/order"))).permutation(
        views
    )
    return int(order[epoch % views])


def _integer(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8"), digest_size=8).digest(), "little")
