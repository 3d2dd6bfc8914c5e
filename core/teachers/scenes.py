"""Made pictures from which a teacher learns to look: tissue, organs and lesions that nobody has.

Domain randomisation (Tobin et al. 2017, arXiv 1703.06907; for medical images Billot et al. 2023,
SynthSeg): what is seen varies far more than in any one modality, so that a network which can tell
the shape, border, content and place of a lesion in these pictures can tell them in real ones. No
picture of a patient is used, so no licence and no leak comes with what is learned.

A picture is built as an image is: *tissue* (layers, an organ or free patches, each with its own
brightness and texture), *lesions* (a star-shaped outline, more or less rough and sharp), and
*acquisition* (shadow behind the lesion, uneven gain, speckle, noise, blur, contrast). The numbers
it was built with are what the network is asked for.

Lengths are in half sides of the picture: x and y run from -1 to 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

OCTAVES = (2, 4, 8, 16, 32, 64)  # grid sizes whose interpolations make a random field
LOBES = (2, 3, 4, 5, 7, 9, 12, 16)  # waves along a lesion's outline
ANGLES = 512  # steps around a lesion's centre in which its outline is known
TISSUES = 6
PRESENCE = 2  # a lesion, and another
LESION = 13  # facts about the first lesion
SURROUNDINGS = 13  # facts about the rest of the picture


@dataclass(frozen=True)
class Scenes:
    """Made pictures and what they show.

    Attributes:
        pictures: ``[N, 1, S, S]`` float32 in [0, 1].
        presence: ``[N, 2]`` 0 or 1: is there a lesion, and another.
        lesion: ``[N, LESION]``, each about -1 to 1; without a lesion they mean nothing.
        surroundings: ``[N, SURROUNDINGS]``, each about -1 to 1.
        maps: ``[N, 2, S, S]`` in [0, 1]: share of lesion, and borders between tissues.
    """

    pictures: Tensor
    presence: Tensor
    lesion: Tensor
    surroundings: Tensor
    maps: Tensor


class _Draw:
    """Random numbers for a batch of pictures, one of each kind for every picture."""

    def __init__(self, seed: int, count: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.count = count

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        found = torch.rand(self.count, *shape, generator=self.generator)
        return found * (high - low) + low

    def ratio(self, low: float, high: float) -> Tensor:
        """Between two positive numbers; their doublings are equally likely."""
        return torch.exp(self.uniform(math.log(low), math.log(high)))

    def yes(self, chance: float | Tensor) -> Tensor:
        return (torch.rand(self.count, generator=self.generator) < chance).float()

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(self.count, *shape, generator=self.generator)

    def cut(self, bank: Tensor, channels: int, side: int) -> Tensor:
        """``[N, channels, side, side]`` windows at random places of random fields of a bank."""
        which = torch.randint(len(bank), (self.count * channels,), generator=self.generator)
        room = bank.shape[-1] - side + 1
        corner = torch.randint(room, (self.count * channels, 2), generator=self.generator)
        found = torch.empty(self.count * channels, side, side)
        for number, (field, (top, left)) in enumerate(
            zip(which.tolist(), corner.tolist(), strict=True)
        ):
            found[number] = bank[field, top : top + side, left : left + side]
        return found.view(self.count, channels, side, side)


class SceneMaker:
    """Makes pictures; equal seeds and numbers make equal ones.

    Args:
        seed: Of everything.
        side: Of the pictures, in pixels.
    """

    def __init__(self, seed: int, side: int) -> None:
        self.seed = seed
        self.side = side
        large = side + side // 2
        self.rough = _fields(_Draw(seed, 400), large, 0.2, 1.6)
        self.smooth = _fields(_Draw(seed + 1, 100), large, 1.3, 1.6)
        self.grain = _Draw(seed + 2, 120).normal(large, large)
        fine = _blur(self.grain[:, None])
        coarse = _blur(fine, 3)
        # the amplitude of a sum of many echoes: two independent parts, taken together
        echoes = [part[:, 0] / part.std() for part in (fine[:60], coarse[60:])]
        amplitude = torch.cat([(part[0::2] ** 2 + part[1::2] ** 2).sqrt() for part in echoes])
        self.speckle = amplitude / amplitude.mean()
        axis = torch.linspace(-1, 1, side)
        self.y, self.x = torch.meshgrid(axis, axis, indexing="ij")

    def scenes(self, number: int, count: int) -> Scenes:
        """`count` pictures, those of batch `number`."""
        draw = _Draw((self.seed + 3) * 1_000_003 + number, count)
        rough = draw.cut(self.rough, 5, self.side)
        bends = draw.cut(self.smooth, 2, self.side)
        warp = draw.uniform(0, 0.18)
        x = self.x + _wide(warp) * bends[:, 0]
        y = self.y + _wide(warp) * bends[:, 1]

        # --- tissue: heights of a landscape of layers, rings and patches --------------------------
        kind = draw.uniform(0, 1)
        organ, layers = (kind < 0.45).float(), (kind > 0.7).float()
        # organs are often alike on both sides, and what breaks that is telling
        mirrored = organ * draw.yes(0.6)
        half = rough[:, :3, :, : (self.side + 1) // 2]
        both_sides = torch.cat([half, half.flip(3)[..., self.side % 2 :]], dim=3)
        rough[:, :3] = torch.where(_wide(mirrored)[:, None] > 0, both_sides, rough[:, :3])
        centre_x, centre_y = draw.uniform(-0.15, 0.15), draw.uniform(-0.15, 0.15)
        width, slim = draw.uniform(0.6, 1.05), draw.uniform(0.65, 1.1)
        across = (x - _wide(centre_x)) / _wide(width)
        along = (y - _wide(centre_y)) / _wide(width * slim)
        ring = torch.sqrt(across**2 + along**2 + 1e-6)
        tilt = draw.uniform(0, 2 * math.pi) * draw.yes(0.3) * (1 - layers)
        slope = draw.uniform(0, 1) * (1 - 0.7 * organ) + 0.4 * layers
        rings = draw.uniform(0, 1) * (0.25 + 0.75 * organ) * (1 - layers)
        patches = draw.uniform(0.05, 0.5) * (1 - 0.4 * layers)
        height = _wide(slope) * (x * _wide(torch.sin(tilt)) + y * _wide(torch.cos(tilt)))
        height = height + _wide(rings) * ring + 0.6 * _wide(patches) * rough[:, 0]
        tissues = 1 + torch.floor(draw.uniform(0, 1) * (TISSUES - 1))
        bounds = draw.uniform(-1, 1.2, TISSUES - 1)
        unused = torch.arange(TISSUES - 1)[None] >= tissues[:, None]
        bounds = torch.where(unused, torch.inf, bounds).sort(dim=1).values
        tissue = torch.searchsorted(bounds, height.flatten(1))
        spread = draw.uniform(0.03, 0.35)
        levels = draw.uniform(0.15, 0.8)[:, None] + spread[:, None] * draw.normal(TISSUES)
        level = levels.clamp(0.02, 1).gather(1, tissue).view_as(height)
        strength = draw.uniform(0, 0.18, TISSUES).gather(1, tissue).view_as(height)
        tissue = tissue.view_as(height)
        picture = level + strength * torch.where(tissue % 2 == 0, rough[:, 1], rough[:, 2])
        lines = draw.yes(0.5) * draw.uniform(-0.5, 0.5)
        thin = draw.uniform(0.03, 0.15)
        picture = picture + _wide(lines) * torch.exp(-((rough[:, 3] / _wide(thin)) ** 2))
        rim = draw.yes(0.6) * draw.uniform(0.2, 0.8)
        outside = torch.sigmoid((ring - 1) / 0.02)
        cut_out = picture + _wide(rim) * torch.exp(-(((ring - 0.95) / 0.05) ** 2))
        cut_out = cut_out * (1 - outside) + outside * _wide(draw.uniform(0, 0.06))
        picture = torch.where(_wide(organ) > 0, cut_out, picture)

        # --- lesions ------------------------------------------------------------------------------
        present = draw.yes(0.75)
        second = present * draw.yes(0.25)
        radius, aspect = draw.ratio(0.12, 0.55), draw.uniform(0.45, 1)
        room = 0.6 - 0.18 * organ
        lesion_x = centre_x * organ + draw.uniform(-1, 1) * room
        lesion_y = centre_y * organ + draw.uniform(-1, 1) * room
        roughness, fineness = draw.yes(0.7) * draw.uniform(0, 0.45), draw.uniform(0, 1.5)
        softness = draw.ratio(0.008, 0.15)
        turn = draw.uniform(-math.pi / 2, math.pi / 2)
        bent = self.x + _wide(0.3 * warp) * bends[:, 0]
        depth = _inside(
            draw, bent - _wide(lesion_x), self.y - _wide(lesion_y), radius, aspect, turn,
            roughness, fineness,
        )  # fmt: skip
        other = _inside(
            draw, self.x - _wide(draw.uniform(-0.7, 0.7)), self.y - _wide(draw.uniform(-0.7, 0.7)),
            draw.ratio(0.08, 0.3), draw.uniform(0.5, 1), draw.uniform(-1.5, 1.5),
            draw.uniform(0, 0.3), draw.uniform(0, 1.5),
        )  # fmt: skip
        mask = torch.maximum(
            torch.sigmoid(depth / _wide(softness)) * _wide(present),
            torch.sigmoid(other / _wide(softness)) * _wide(second),
        )
        around = (picture * mask).sum((1, 2)) / (mask.sum((1, 2)) + 1e-3)
        darker = draw.yes(0.5 + 0.3 * layers)
        contrast = draw.ratio(0.15, 0.7) * (1 - 2 * darker)
        grainy = draw.uniform(0, 0.25)
        core = draw.yes(0.3) * draw.uniform(-0.4, 0.4)
        seam = draw.yes(0.35) * draw.uniform(-0.4, 0.4)
        inner = _wide((around + contrast).clamp(0, 1.1)) + _wide(grainy) * rough[:, 4]
        inner = inner + _wide(core) * torch.sigmoid((depth - 0.45 * _wide(radius)) / 0.03)
        inner = inner + _wide(seam) * torch.exp(-((depth / 0.04) ** 2))
        picture = picture * (1 - mask) + inner * mask
        behind = torch.cummax(mask, dim=1).values - mask
        shadow = draw.yes(0.35 + 0.35 * layers) * draw.uniform(-0.8, 0.6)
        below = (self.y - _wide(lesion_y)).clamp(min=0)
        fading = torch.exp(-below / _wide(draw.uniform(0.3, 2)))
        picture = picture * (1 + _wide(shadow) * behind * fading)

        # --- acquisition --------------------------------------------------------------------------
        gain = _wide(draw.uniform(0, 0.5)) * bends[:, 0] + _wide(draw.uniform(-0.5, 0.5)) * self.y
        picture = picture.clamp(min=0) * torch.exp(gain).clamp(0.2, 3)
        speckle = draw.yes(0.5 + 0.35 * layers) * draw.uniform(0.1, 0.7)
        grain = draw.cut(self.speckle, 1, self.side)[:, 0]
        picture = picture * (1 + _wide(speckle) * (grain - 1))
        noise = draw.yes(0.6) * draw.ratio(0.005, 0.1)
        picture = picture + _wide(noise) * draw.cut(self.grain, 1, self.side)[:, 0]
        blur = draw.yes(0.4) * draw.uniform(0, 1)
        picture = torch.lerp(picture, _blur(picture[:, None], 3)[:, 0], _wide(blur)).clamp(min=0)
        brightest = picture[:, ::4, ::4].flatten(1).topk(5, dim=1).values[:, 4]
        picture = (picture / (_wide(brightest) + 0.02)).clamp(0, 1)
        picture = picture ** _wide(draw.ratio(0.5, 2)) * _wide(draw.uniform(0.6, 1))
        negative = _wide(draw.yes(0.1))
        picture = picture * (1 - negative) + (1 - picture) * negative

        borders = torch.zeros_like(picture)
        edge = (tissue[:, 1:, 1:] != tissue[:, :-1, 1:]) | (tissue[:, 1:, 1:] != tissue[:, 1:, :-1])
        borders[:, 1:, 1:] = edge.float()
        lesion = [
            torch.log(radius) + 1.4, 4 * aspect - 2.9, 5 * roughness - 1, fineness - 0.75,
            torch.log(softness) + 3.3, 2 * contrast, 3 * shadow, 8 * grainy - 1, 2 * lesion_x,
            2 * lesion_y, 4 * core, 4 * seam, 4 * torch.cos(2 * turn) * (1 - aspect),
        ]  # fmt: skip
        surroundings = [
            tissues - 3.5, 3 * slope - 1, 3 * rings - 1, 4 * patches - 1.5, 2 * organ - 1,
            12 * warp - 1, 8 * spread - 2, 4 * lines, 3 * speckle - 1, torch.log(noise + 5e-3) + 4,
            3 * blur - 0.5, ring.mean((1, 2)) - 1, 2 * mirrored - 0.5,
        ]  # fmt: skip
        return Scenes(
            pictures=picture[:, None],
            presence=torch.stack([present, second], dim=1),
            lesion=torch.stack(lesion, dim=1),
            surroundings=torch.stack(surroundings, dim=1),
            maps=torch.stack([mask, borders], dim=1),
        )


def _wide(values: Tensor) -> Tensor:
    """``[N]`` as ``[N, 1, 1]``."""
    return values[:, None, None]


def _fields(draw: _Draw, side: int, smoothest: float, roughest: float) -> Tensor:
    """``[N, side, side]`` random fields of about unit variance; larger slopes are smoother."""
    slope = draw.uniform(smoothest, roughest)
    found, power = torch.zeros(draw.count, 1, side, side), torch.zeros(draw.count)
    for number, grid in enumerate(OCTAVES):
        weight = torch.exp(-slope * number)
        noise = draw.normal(1, grid + 1, grid + 1)
        found += weight[:, None, None, None] * F.interpolate(
            noise, size=(side, side), mode="bilinear", align_corners=True
        )
        power += weight**2
    return 1.3 * found[:, 0] / _wide(power.sqrt())  # interpolating takes a third of the deviation


def _blur(images: Tensor, times: int = 1) -> Tensor:
    """``[N, C, H, W]`` smoothed with the weights 1, 2, 1 along both sides, `times` over."""
    for _ in range(times):
        images = F.pad(images, (1, 1, 1, 1), mode="replicate")
        images = (images[..., :-2] + 2 * images[..., 1:-1] + images[..., 2:]) / 4
        images = (images[..., :-2, :] + 2 * images[..., 1:-1, :] + images[..., 2:, :]) / 4
    return images


def _inside(
    draw: _Draw, x: Tensor, y: Tensor, radius: Tensor, aspect: Tensor, turn: Tensor,
    roughness: Tensor, fineness: Tensor,
) -> Tensor:  # fmt: skip
    """How far inside a star-shaped outline every point lies, ``[N, S, S]``; negative outside.

    Args:
        draw: Phases and strengths of the waves along the outline.
        x: Horizontal distance from the centre.
        y: Vertical distance from the centre.
        radius: Mean radius, ``[N]``.
        aspect: Short axis over long axis.
        turn: Direction of the long axis.
        roughness: Height of the waves, in radii.
        fineness: How much weaker short waves are than long ones; 0 makes spikes.
    """
    along = _wide(torch.cos(turn)) * x + _wide(torch.sin(turn)) * y
    across = (_wide(torch.cos(turn)) * y - _wide(torch.sin(turn)) * x) / _wide(aspect)
    angles = torch.linspace(-math.pi, math.pi, ANGLES + 1)
    waves = torch.zeros(draw.count, ANGLES + 1)
    for lobe in LOBES:
        strength = draw.uniform(0.5, 1) * lobe**-0.4 * torch.exp(-fineness * math.log(lobe / 2))
        phase = draw.uniform(0, 2 * math.pi)
        waves += strength[:, None] * torch.cos(lobe * angles + phase[:, None])
    outline = radius[:, None] * (1 + roughness[:, None] * waves)
    place = ((torch.atan2(across, along) + math.pi) * (ANGLES / 2 / math.pi)).long()
    distance = torch.sqrt(along**2 + across**2 + 1e-6)
    return outline.gather(1, place.flatten(1)).view_as(distance) - distance
