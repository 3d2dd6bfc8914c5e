"""Heat-maps: which part of a picture spoke for a class. They show where, not why."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.students.base import Student
from core.types import Task

CAPTION = (
    "Bright areas spoke most strongly for this class in this picture. The map shows where the "
    "network looked, not why, and not whether it is right; it may be bright where no disease is."
)
BATCH = 16
FEWEST_CELLS = 7  # along a side: the last stage's at 224 px; coarser maps point nowhere
STEPS = 16  # points of the path of integrated gradients


def method_name(student: Student) -> str:
    """The method that suits the student's architecture, as cited in a caption."""
    if not student.local:
        return "integrated gradients (Sundararajan et al. 2017)"
    return "Grad-CAM (Selvaraju et al. 2017)"


def heat_map(
    student: Student, images: Tensor, class_index: int, task: Task = Task.MULTICLASS
) -> NDArray[np.float32]:
    """Explain one class in each picture.

    What is explained is the log-odds of the class: its logit for findings, its logit against all
    others for exclusive classes. Where the head is a mean and one linear layer, Grad-CAM at the
    last stage is exact; for small pictures the deepest stage with 7 x 7 places is taken. Elsewhere
    (a convolution or attention after the maps) it is not: on small trainings with a lesion over
    6 % of the picture, 3 to 12 % of its heat lay there. Those students are explained at the
    picture itself, by integrated gradients from an even grey of the picture's own mean.

    Args:
        student: Mode and gradients are left as they were.
        images: ``[N, 1 or 3, S, S]`` float32 in [0, 1], S the student's side.
        class_index: Place of the class in the logits.
        task: One class per image, or any number of findings.

    Returns:
        ``[N, S, S]`` float32 in [0, 1], each map's largest value 1; all 0 where nothing spoke for
        the class.
    """
    if len(images) == 0:
        return np.zeros((0, *images.shape[-2:]), dtype=np.float32)
    training = student.training
    student.eval()
    try:
        maps = [_explain(student, part, class_index, task) for part in torch.split(images, BATCH)]
    finally:
        student.train(training)
    return torch.cat(maps).cpu().numpy()


def _explain(student: Student, images: Tensor, class_index: int, task: Task) -> Tensor:
    def log_odds(pictures: Tensor) -> Tensor:
        logits: Tensor = student(pictures)
        if task is Task.MULTILABEL or logits.shape[1] == 1:
            return logits[:, class_index]
        others = torch.cat([logits[:, :class_index], logits[:, class_index + 1 :]], dim=1)
        against: Tensor = logits[:, class_index] - others.logsumexp(dim=1)
        return against

    pictures = images.detach().clone().requires_grad_()  # a frozen student has gradients too
    with torch.enable_grad():
        if not student.local:
            spoken = _integrated(log_odds, pictures)
        else:
            spoken = LayerGradCam(log_odds, _layer(student, images.shape[-1])).attribute(pictures)
    heat = spoken.detach().sum(dim=1, keepdim=True).clamp(min=0)
    heat = F.interpolate(heat, images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    largest = heat.amax(dim=(1, 2), keepdim=True)
    return torch.where(largest > 0, heat / largest.clamp(min=1e-30), 0.0).clamp(0, 1)


def _layer(student: Student, side: int) -> nn.Module:
    """The deepest stage whose map is fine enough to point at something."""
    cells = [min(grid) for grid in student.grid(side)]
    fine = [stage for stage, count in enumerate(cells) if count >= FEWEST_CELLS]
    return student.stages[max(fine, default=0)]


def _integrated(log_odds: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """Attributions per pixel, averaged over 16 x 16 cells: single pixels are noise."""
    grey = pictures.detach().mean(dim=(2, 3), keepdim=True).expand_as(pictures)
    spoken: Tensor = IntegratedGradients(log_odds).attribute(
        pictures, grey, n_steps=STEPS, internal_batch_size=4 * BATCH
    )
    return F.avg_pool2d(spoken.float(), max(1, pictures.shape[-1] // 16))
