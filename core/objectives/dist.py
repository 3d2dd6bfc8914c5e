"""DIST: agreement of relations instead of values (Huang et al. 2022, arXiv 2205.10536)."""

from __future__ import annotations

from torch import Tensor

from core.config_method import MethodSettings
from core.objectives.base import OBJECTIVES, StepOutputs

FLOOR = 1e-8


def correlation(x: Tensor, y: Tensor) -> Tensor:
    """Pearson correlation of each row of `x` with the same row of `y`.

    Args:
        x: ``[N, M]`` float32.
        y: The same shape.

    Returns:
        ``[N]`` in [-1, 1]; 0 where a row does not vary.
    """
    x, y = (values - values.mean(dim=1, keepdim=True) for values in (x, y))
    scale = (x.square().sum(dim=1) * y.square().sum(dim=1)).clamp_min(FLOOR**2)
    return (x * y).sum(dim=1) / scale.sqrt()


class Relations:
    """T^2 (1 - mean_i r(p_s[i], p_t[i]) + 1 - mean_c r(p_s[:, c], p_t[:, c])).

    r is Pearson's correlation, p are softmax(z/T): how each image ranks the classes, and how each
    class ranks the images. Of two classes the first is 1 or -1 whatever the values, so the method
    is refused (`methods.require_suitable`).
    """

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor:
        """Both relations, which weigh the same as in the paper."""
        assert outputs.answers is not None  # the method uses the probe
        heat = settings.dist_temperature
        own, teacher = ((z / heat).softmax(dim=1) for z in (outputs.logits, outputs.answers))
        images = 1 - correlation(own, teacher).mean()
        classes = 1 - correlation(own.T, teacher.T).mean()
        return heat**2 * (images + classes)

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """Constant."""
        return settings.dist


OBJECTIVES.register("dist", __name__)(Relations())
