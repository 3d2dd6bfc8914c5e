"""Comparisons over seeds: known values, coverage of the interval, Holm."""

from __future__ import annotations

import numpy as np
import pytest

from core.evaluation.metrics import Floats, Ints
from core.evaluation.seeds import areas_over_seeds, contrast, holm, macro_auroc

CLASSES = 3


def scores_of(random: np.random.Generator, targets: Ints, signal: float) -> Floats:
    """``[N, C]`` noise with a bump at the true class."""
    scores = random.normal(size=(len(targets), CLASSES))
    scores[np.arange(len(targets)), targets] += signal
    return scores


@pytest.fixture(name="targets")
def _targets() -> Ints:
    return np.repeat(np.arange(CLASSES), 20)


def test_macro_auroc_is_the_mean_of_the_classes() -> None:
    targets = np.array([0, 0, 1, 1])
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9]])
    assert macro_auroc(targets, scores) == pytest.approx(0.75)
    assert macro_auroc(np.zeros(4, dtype=np.int64), scores) is None


def test_equal_methods_do_not_differ(targets: Ints) -> None:
    random = np.random.default_rng(0)
    scores = np.stack([scores_of(random, targets, 1.0) for _ in range(3)])
    areas = areas_over_seeds(targets, scores, np.arange(60), resamples=200, seed=0)
    found = contrast(areas, areas, confidence=0.95, seed=0)
    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_a_large_difference_is_seen_and_has_the_sign_of_first_minus_second(targets: Ints) -> None:
    random = np.random.default_rng(1)
    strong, weak = (
        areas_over_seeds(
            targets,
            np.stack([scores_of(random, targets, signal) for _ in range(5)]),
            np.arange(60),
            resamples=400,
            seed=0,
        )
        for signal in (3.0, 0.5)
    )
    found = contrast(strong, weak, confidence=0.95, seed=0)
    assert found.value == pytest.approx(float((strong.values - weak.values).mean()))
    assert found.low is not None
    assert found.low > 0.1
    assert found.high is not None
    assert found.low < found.value < found.high
    assert found.p is not None
    assert found.p < 0.01
    turned = contrast(weak, strong, confidence=0.95, seed=0)
    assert turned.value == pytest.approx(-found.value)
    assert turned.p == pytest.approx(found.p)


def test_one_seed_gives_a_value_without_an_interval(targets: Ints) -> None:
    random = np.random.default_rng(2)
    first, second = (
        areas_over_seeds(
            targets, scores_of(random, targets, 1.0)[None], np.arange(60), resamples=200, seed=0
        )
        for _ in range(2)
    )
    found = contrast(first, second, confidence=0.95, seed=0)
    assert found.value != 0.0
    assert (found.low, found.high, found.p, found.seeds) == (None, None, None, 1)


def test_clusters_are_drawn_whole(targets: Ints) -> None:
    """Twins say nothing new: with every image twice the spread stays that of the singles."""
    random = np.random.default_rng(3)
    scores = scores_of(random, targets, 1.0)[None]
    alone = areas_over_seeds(targets, scores, np.arange(60), resamples=500, seed=0)
    twins = areas_over_seeds(
        np.repeat(targets, 2),
        np.repeat(scores, 2, axis=1),
        np.repeat(np.arange(60), 2),
        resamples=500,
        seed=0,
    )
    assert twins.drawn.std() == pytest.approx(alone.drawn.std(), rel=0.05)
    assert alone.clusters == twins.clusters == 20


def test_intervals_cover_no_difference(targets: Ints) -> None:
    """Two equally good methods; the noise differs from seed to seed and from image to image."""
    random = np.random.default_rng(4)
    covered = 0
    for _ in range(60):
        images = random.normal(size=(len(targets), CLASSES))
        pair = [
            areas_over_seeds(
                targets,
                np.stack(
                    [images + scores_of(random, targets, random.normal(1.0, 0.2)) for _ in range(4)]
                ),
                np.arange(60),
                resamples=200,
                seed=0,
            )
            for _ in range(2)
        ]
        found = contrast(*pair, confidence=0.95, seed=0)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.0 <= found.high
    assert covered >= 54  # 95 % of 60 is 57, its standard error 1.7


def test_holm_against_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_counts_comparisons_that_are_still_to_be_made() -> None:
    assert holm([0.02, None, None]) == [pytest.approx(0.06), None, None]
