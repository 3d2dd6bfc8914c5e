"""CKA against closed forms and an independent numpy version."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.config_method import MethodSettings
from core.objectives.base import OBJECTIVES, StepOutputs
from core.objectives.cka import UnbiasedCka, cka_biased, cka_unbiased, hsic_unbiased, rbf_gram
from core.types import Task


def numpy_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Feature-space form (Kornblith et al. 2019, equation 4): another road to the same number."""
    x, y = x - x.mean(0), y - y.mean(0)
    return float(np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def numpy_hsic_1(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
    """Written with the matrix products of Song et al. 2012."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    one = np.ones(n)
    middle = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return float((np.trace(k @ l) + middle - 2 / (n - 2) * one @ k @ l @ one) / (n * (n - 3)))


def numpy_hsic_0(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
    """The biased one: tr(K H L H) / (n - 1)^2."""
    centring = np.eye(len(k)) - 1 / len(k)
    return float(np.trace(k @ centring @ l @ centring) / (len(k) - 1) ** 2)


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 17, generator=generator, dtype=torch.float64)
    return x, x @ torch.randn(17, 9, generator=generator, dtype=torch.float64)


def test_equals_the_feature_space_form(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, y = pair
    assert cka_biased(x, y).item() == pytest.approx(numpy_cka(x.numpy(), y.numpy()), abs=1e-5)


def test_known_values(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, _ = pair
    rotation = torch.linalg.qr(torch.randn(17, 17, dtype=torch.float64)).Q
    assert cka_biased(x, x).item() == pytest.approx(1, abs=1e-6)
    assert cka_biased(x, 3 * x @ rotation + 5).item() == pytest.approx(1, abs=1e-5)
    left = torch.tensor([[1.0], [-1.0], [0.0], [0.0]])
    assert cka_biased(left, left.roll(2, 0)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("offset", [0, 1, 5, 20])
def test_an_offset_in_bfloat16_spoils_neither_loss_nor_metric(offset: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 512, generator=generator).relu()
    y = (x @ torch.randn(512, 512, generator=generator) / 512**0.5).relu()
    x, y = ((features + offset).bfloat16() for features in (x, y))
    left, right = x.double().numpy(), y.double().numpy()
    exact = numpy_cka(left, right)
    with torch.autocast("cpu", torch.bfloat16):
        assert cka_biased(x, y).item() == pytest.approx(exact, abs=1e-4)
        figure = UnbiasedCka()
        figure.add(x, y)
    assert cka_biased(x.float(), y.float()).item() == pytest.approx(exact, abs=1e-4)
    k, l = left @ left.T, right @ right.T  # noqa: E741
    unbiased = numpy_hsic_1(k, l) / (numpy_hsic_1(k, k) * numpy_hsic_1(l, l)) ** 0.5
    assert figure.value() == pytest.approx(unbiased, abs=1e-6)
    if offset >= 5:  # what centring after the product in bfloat16 would give
        gram = [features @ features.T for features in (x, y)]
        k, l = (found - found.mean(0, keepdim=True) for found in gram)  # noqa: E741
        naive = (k * l.T).sum() / (k * k.T).sum().sqrt() / (l * l.T).sum().sqrt()
        assert abs(float(naive) - exact) > 0.05


def numpy_rbf_cka(x: np.ndarray, y: np.ndarray, bandwidth: float) -> float:
    """Loops over the pairs, and H written out."""
    centring = np.eye(len(x)) - 1 / len(x)
    grams = []
    for rows in (x, y):
        apart = np.array([[np.linalg.norm(a - b) for b in rows] for a in rows])
        width = bandwidth * np.median(apart[~np.eye(len(x), dtype=bool)])
        grams.append(centring @ np.exp(-(apart**2) / (2 * width**2)) @ centring)
    return float(np.sum(grams[0] * grams[1]) / np.linalg.norm(grams[0]) / np.linalg.norm(grams[1]))


@pytest.mark.parametrize("bandwidth", [0.5, 1.0, 2.0])
def test_rbf_equals_an_independent_one(
    pair: tuple[torch.Tensor, torch.Tensor], bandwidth: float
) -> None:
    expected = numpy_rbf_cka(pair[0].numpy(), pair[1].numpy(), bandwidth)
    found = cka_biased(*pair, lambda features: rbf_gram(features, bandwidth))
    assert found.item() == pytest.approx(expected, abs=2e-3)  # an even number has two medians


def test_rbf_of_a_wide_kernel_is_linear(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    x, y = (features.float() for features in pair)
    for figure in (cka_biased, cka_unbiased):
        wide = figure(x, y, lambda features: rbf_gram(features, 100))
        assert wide.item() == pytest.approx(figure(x, y).item(), abs=1e-3)


def test_rbf_sees_what_a_linear_kernel_does_not() -> None:
    ring = torch.linspace(0, 2 * torch.pi, 41, dtype=torch.float64)[:-1]
    x = torch.stack([ring.cos(), ring.sin()], 1)
    y = torch.stack([(2 * ring).cos(), (2 * ring).sin()], 1)
    assert cka_biased(x, y).item() == pytest.approx(0, abs=1e-6)
    assert cka_biased(x, y, lambda features: rbf_gram(features, 0.5)).item() > 0.05


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("unbiased", [False, True])
def test_the_term_is_as_configured_and_has_a_gradient(kernel: str, unbiased: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    x, y = (torch.randn(16, 6, generator=generator).requires_grad_() for _ in range(2))
    settings = MethodSettings.model_validate({"cka_kernel": kernel, "cka_unbiased": unbiased})
    made = StepOutputs(
        Task.MULTICLASS, torch.zeros(16), torch.ones(2), torch.zeros(16, 2), student=[x],
        reprogrammed=[y],
    )  # fmt: skip
    loss = OBJECTIVES.get("cka")(made, settings)
    assert loss is not None
    figure = cka_unbiased if unbiased else cka_biased
    expected = 1 - (figure(x, y, rbf_gram) if kernel == "rbf" else figure(x, y))
    assert loss.item() == pytest.approx(expected.item())
    loss.backward()
    for leaf in (x, y):
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()
        assert leaf.grad.abs().sum() > 0


def test_no_variance_gives_zero_and_finite_gradients() -> None:
    x = torch.ones(16, 4, requires_grad=True)
    value = cka_biased(x, torch.randn(16, 3))
    value.backward()
    assert value.item() == 0
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_hsic_equals_the_matrix_form(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    k, l = (features @ features.T for features in pair)  # noqa: E741
    assert hsic_unbiased(k, l).item() == pytest.approx(numpy_hsic_1(k.numpy(), l.numpy()), rel=1e-9)


def test_hsic_1_is_unbiased_on_independent_features() -> None:
    generator = torch.Generator().manual_seed(4)
    found = []
    for _ in range(400):
        x, y = (torch.randn(12, 30, generator=generator).double() for _ in range(2))
        k, l = x @ x.T, y @ y.T  # noqa: E741
        found.append([hsic_unbiased(k, l).item(), numpy_hsic_0(k.numpy(), l.numpy())])
    mean, error = np.mean(found, 0), np.std(found, 0) / 20
    assert abs(mean[0]) < 3 * error[0]
    assert mean[1] > 30 * error[1]  # the biased one is far from 0


def test_unbiased_for_unrelated_features_where_the_biased_value_is_high() -> None:
    generator = torch.Generator().manual_seed(1)
    biased, unbiased = [], []
    for _ in range(40):
        x, y = (torch.randn(32, 512, generator=generator) for _ in range(2))
        biased.append(cka_biased(x, y).item())
        figure = UnbiasedCka()
        figure.add(x, y)
        unbiased.append(figure.value())
    assert np.mean(biased) == pytest.approx(0.94, abs=0.02)
    assert abs(np.mean(unbiased)) < 0.03


def test_batches_give_nearly_the_whole(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(512, 20, generator=generator) + 100
    y = x[:, :10] + 0.5 * torch.randn(512, 10, generator=generator)
    whole, parts = UnbiasedCka(), UnbiasedCka()
    whole.add(x, y)
    for start in range(0, 512, 64):
        parts.add(x[start : start + 64], y[start : start + 64])
    assert parts.value() == pytest.approx(whole.value(), abs=0.03)


def test_too_few_images_give_no_figure() -> None:
    figure = UnbiasedCka()
    figure.add(torch.randn(3, 5), torch.randn(3, 5))
    assert np.isnan(figure.value())
