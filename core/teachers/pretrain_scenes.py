"""Learning from made pictures: what is in them, where, and what it looks like.

The network's mean features must tell the facts a picture was made with (by one linear layer each,
as a probe will ask later), its maps where lesions and borders between tissues are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.teachers.pretrain_card import GREY, QUARTER
from core.teachers.pretrain_recipe import PretrainSettings
from core.teachers.scenes import LESION, PRESENCE, SURROUNDINGS, SceneMaker, Scenes

EARLY = 2 / 3  # share of the steps with small pictures
MAPS = 3  # of the network's last maps that are asked where something is
FACTS = (PRESENCE, LESION, SURROUNDINGS)
WEIGHT = 2.0  # of the facts; errors of numbers are smaller than those of answers


class SceneCourse(nn.Module):
    """Made pictures, and what the network is asked about them.

    Args:
        settings: The recipe.
        backbone: The network; its maps must be known to timm.
        steps: How many there will be.
    """

    def __init__(self, settings: PretrainSettings, backbone: nn.Module, steps: int) -> None:
        super().__init__()
        widths = [int(stage["num_chs"]) for stage in backbone.feature_info]  # type: ignore[union-attr]
        self.facts = nn.Linear(widths[-1], sum(FACTS))
        self.maps = nn.ModuleList(nn.Conv2d(width, 2, 1) for width in widths[-MAPS:])
        self.settings = settings
        self.early = round(EARLY * steps) if settings.early_px else 0
        self.makers: dict[int, SceneMaker] = {}

    def loss(self, backbone: nn.Module, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a step, and its terms by name."""
        side = self.settings.early_px if step < self.early else self.settings.train_px
        if side not in self.makers:
            self.makers[side] = SceneMaker(self.settings.seed, side)
        scenes = self.makers[side].scenes(step, self.settings.scenes)
        shown = ((scenes.pictures - GREY[0]) / QUARTER[0]).expand(-1, 3, -1, -1)
        with torch.autocast("cpu", torch.bfloat16):
            maps = backbone.forward_intermediates(  # type: ignore[operator]
                shown.contiguous(memory_format=torch.channels_last),
                indices=MAPS,
                intermediates_only=True,
            )
            said = self.facts(maps[-1].mean((2, 3))).float()
            drawn = [head(found).float() for head, found in zip(self.maps, maps, strict=True)]
        terms = self._facts(said, scenes)
        terms["loss/maps"] = torch.stack([_map_loss(found, scenes.maps) for found in drawn]).sum()
        total = torch.stack(list(terms.values())).sum()
        return total, {name: value.detach() for name, value in terms.items()}

    def _facts(self, said: Tensor, scenes: Scenes) -> dict[str, Tensor]:
        presence, lesion, surroundings = torch.split(said, list(FACTS), dim=1)
        there = scenes.presence[:, :1]
        wrong = F.smooth_l1_loss(lesion, scenes.lesion, reduction="none")
        return {
            "loss/presence": PRESENCE
            * F.binary_cross_entropy_with_logits(presence, scenes.presence),
            "loss/lesion": WEIGHT * (wrong * there).mean(),
            "loss/surroundings": WEIGHT * F.smooth_l1_loss(surroundings, scenes.surroundings),
        }


def _map_loss(found: Tensor, maps: Tensor) -> Tensor:
    """Share of lesion, and whether a border passes, for every place of a map."""
    size = (found.shape[2], found.shape[3])
    lesion = F.adaptive_avg_pool2d(maps[:, :1], size)
    borders = F.adaptive_max_pool2d(maps[:, 1:], size)
    return F.binary_cross_entropy_with_logits(found, torch.cat([lesion, borders], dim=1))
