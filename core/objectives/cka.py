"""Centred kernel alignment: as a loss (biased, in Gram form) and as a figure (unbiased).

Kornblith et al. 2019, arXiv 1905.00414; unbiased HSIC: Song et al. 2012, Nguyen et al. 2021,
arXiv 2010.15327, equation 3. Numerics as measured in `reference/method.md` e: centre and reduce in
float32 outside autocast (in bfloat16 the value may even turn negative), never show the biased value
of a batch (0.94 for unrelated features at n = 32, d = 512).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from core.config_method import MethodSettings
from core.objectives.base import OBJECTIVES, StepOutputs
from core.tensors import at_least_float32

FEWEST = 8  # images below which the term is undefined as a loss
FLOOR = 1e-12
Gram = Callable[[Tensor], Tensor]  # ``[n, p]`` features to their ``[n, n]`` kernel matrix


def linear_gram(features: Tensor) -> Tensor:
    """``[n, n]`` inner products of centred ``[n, p]`` features, scaled so that the mean is near 1.

    Centring comes before the product, so that a large offset does not swallow the digits.
    """
    centred = features - features.mean(dim=0, keepdim=True)
    spread = centred.detach().square().sum(dim=1).mean().clamp_min(FLOOR)
    return centred @ centred.T / spread


def rbf_gram(features: Tensor, bandwidth: float = 1.0) -> Tensor:
    """``[n, n]`` values exp(-d^2 / 2 s^2) of the distances d between ``[n, p]`` features.

    They are given less 1 and scaled to the size of a linear kernel, which CKA does not see and
    wide kernels need.

    Args:
        features: Rows that are compared.
        bandwidth: s in units of the median distance of rows that differ, which takes no gradient.
            A wide kernel tends to linear CKA (arXiv 2112.09305).
    """
    products = linear_gram(features)
    lengths = products.diagonal()
    squares = (lengths[:, None] + lengths[None] - 2 * products).clamp_min(0)
    apart = squares.detach()[squares.detach() > FLOOR]
    width = apart.median() if len(apart) else torch.ones_like(lengths[0])  # of d^2, as of d
    scale = 2 * bandwidth**2
    return scale * torch.expm1(-squares / (scale * width))


def cka_biased(x: Tensor, y: Tensor, gram: Gram = linear_gram) -> Tensor:
    """CKA with the biased HSIC, differentiable in both arguments.

    Args:
        x: ``[n, p]`` features, any float type; n at least 2.
        y: ``[n, q]`` features of the same n images.
        gram: The kernel.

    Returns:
        Scalar in [0, 1], float32 or, of float64 features, float64; 0 where one side does not vary.
    """
    with torch.autocast(x.device.type, enabled=False):
        left, right = (_centred(gram(at_least_float32(features))) for features in (x, y))
        scale = (left.square().sum() * right.square().sum()).clamp_min(FLOOR)
        return (left * right).sum() / scale.sqrt()


def cka_unbiased(x: Tensor, y: Tensor, gram: Gram = linear_gram) -> Tensor:
    """CKA with HSIC_1, differentiable in both arguments; n at least 4, otherwise as `cka_biased`.

    Returns:
        Scalar, at most 1 and around 0 for unrelated features.
    """
    with torch.autocast(x.device.type, enabled=False):
        k, l = (gram(at_least_float32(features)) for features in (x, y))  # noqa: E741
        scale = (hsic_unbiased(k, k) * hsic_unbiased(l, l)).clamp_min(FLOOR)
        return hsic_unbiased(k, l) / scale.sqrt()


def _centred(gram: Tensor) -> Tensor:
    """H K H, H = I - 11^T / n."""
    rows = gram.mean(dim=0, keepdim=True)
    return gram - rows - rows.T + rows.mean()


def hsic_unbiased(k: Tensor, l: Tensor) -> Tensor:  # noqa: E741 (K and L are the papers' names)
    """HSIC_1 of two Gram matrices.

    Args:
        k: ``[n, n]`` Gram matrix, n at least 4; its diagonal is not used.
        l: The same of the other features.

    Returns:
        Scalar in the precision of the matrices, whose expectation is 0 for independent features.
    """
    n = len(k)
    k, l = (gram - torch.diag(gram.diagonal()) for gram in (k, l))  # noqa: E741
    row_k, row_l = k.sum(dim=1), l.sum(dim=1)
    cross = (k * l).sum()
    means = row_k.sum() * row_l.sum() / ((n - 1) * (n - 2))
    return (cross + means - 2 / (n - 2) * (row_k @ row_l)) / (n * (n - 3))


class UnbiasedCka:
    """Linear CKA of a fixed set of images, gathered batch by batch.

    The three HSIC terms are summed over the batches and divided at the end (a ratio of means, not a
    mean of ratios). Batches under four images are left out, as HSIC_1 is undefined for them.
    """

    def __init__(self) -> None:
        self._terms = torch.zeros(3, dtype=torch.float64)

    def add(self, x: Tensor, y: Tensor) -> None:
        """Add one batch of ``[n, p]`` and ``[n, q]`` features."""
        if len(x) < 4:
            return
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            # centring does not change HSIC_1 but keeps large offsets from swallowing digits
            centred = [features.double() - features.double().mean(0) for features in (x, y)]
            k, l = (features @ features.T for features in centred)  # noqa: E741
            terms = [hsic_unbiased(k, l), hsic_unbiased(k, k), hsic_unbiased(l, l)]
            self._terms += torch.stack(terms).cpu()

    def value(self) -> float:
        """The figure, at most 1 and around 0 for unrelated features; NaN where undefined."""
        cross, left, right = self._terms.tolist()
        return cross / (left * right) ** 0.5 if left > 0 and right > 0 else float("nan")


class CkaObjective:
    """L_CKA = -CKA(phi(f_t), f_s), or -CKA(f_t, f_s) where nothing is reprogrammed.

    Averaged over the stages in use.
    """

    def __call__(self, outputs: StepOutputs, settings: MethodSettings) -> Tensor | None:
        """1 - CKA, whose gradient is that of -CKA; nothing below eight images.

        The unbiased form has the larger gradient: about twice that of the biased one at 32 images,
        seven times at eight.
        """
        if len(outputs.logits) < FEWEST:
            return None
        targets = outputs.reprogrammed or [found.mean((2, 3)) for found in outputs.teacher]
        pairs = zip(targets, outputs.student, strict=True)
        figure = cka_unbiased if settings.cka_unbiased else cka_biased
        gram = linear_gram
        if settings.cka_kernel == "rbf":
            gram = functools.partial(rbf_gram, bandwidth=settings.cka_bandwidth)
        return 1 - torch.stack([figure(phi, own, gram) for phi, own in pairs]).mean()

    def weight(self, settings: MethodSettings, progress: float) -> float:
        """Constant."""
        return settings.cka


OBJECTIVES.register("cka", __name__)(CkaObjective())
