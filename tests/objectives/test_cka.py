"""CKA against closed forms and an independent numpy version."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.objectives.cka import UnbiasedCka, cka_biased, hsic_unbiased


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


def test_a_large_offset_in_bfloat16_does_not_spoil_it(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    x, y = (features.abs() + 5 for features in pair)
    exact = numpy_cka(x.numpy(), y.numpy())
    with torch.autocast("cpu", torch.bfloat16):
        assert cka_biased(x.bfloat16(), y.bfloat16()).item() == pytest.approx(exact, abs=0.02)


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
