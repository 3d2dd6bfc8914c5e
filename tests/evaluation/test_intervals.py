from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from core.evaluation.intervals import (
    Figure,
    Resamples,
    auroc_figure,
    newcombe,
    percentile_limits,
    proportion,
    wilson,
)
from core.evaluation.metrics import weighted_auroc


def figure_of(positive: np.ndarray, scores: np.ndarray, groups: np.ndarray, seed: int) -> Figure:
    drawn = Resamples(groups, positive, count=400, seed=[seed]).auroc(positive, scores)
    return auroc_figure(positive, scores, groups, drawn, 0.95, "ill")


def clustered(
    rng: np.random.Generator, patients: int, images: int, shift: float, share: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two classes of `patients` each; `share` of the variance is the patient's."""
    groups = np.repeat(np.arange(2 * patients), images)
    positive = groups < patients
    own = rng.normal(size=groups.size) * np.sqrt(1 - share)
    scores = shift * positive + own + np.sqrt(share) * rng.normal(size=2 * patients)[groups]
    return positive, scores, groups


@pytest.mark.parametrize(("shift", "lowest"), [(0.884, 0.92), (2.3, 0.88)])
def test_patient_intervals_cover_and_image_intervals_do_not(shift: float, lowest: float) -> None:
    """`reference/reliability.md` e: 40 patients, 5 images each; also near an AUROC of 0.95."""
    truth = stats.norm.cdf(shift / np.sqrt(2))
    rng = np.random.default_rng(11)
    caught = np.zeros(2)
    repeats = 250
    for repeat in range(repeats):
        positive, scores, patients = clustered(rng, 20, 5, shift, 0.8)
        for way, groups in enumerate((patients, np.arange(patients.size))):
            found = figure_of(positive, scores, groups, repeat)
            assert found.low is not None
            assert found.high is not None
            caught[way] += found.low <= truth <= found.high
    by_patient, by_image = caught / repeats
    assert lowest <= by_patient <= 0.995
    assert by_image < 0.85


def test_proportions_cover_when_images_of_a_patient_agree() -> None:
    rng = np.random.default_rng(12)
    caught = 0
    for _ in range(300):
        positive, scores, groups = clustered(rng, 20, 5, 1.0, 0.7)
        found = proportion(scores > 0.5, positive, groups, 0.95)
        assert found.low is not None
        assert found.high is not None
        caught += found.low <= stats.norm.cdf(0.5) <= found.high
    assert caught / 300 >= 0.92


def test_paired_differences_cover_zero_when_there_is_none() -> None:
    rng = np.random.default_rng(13)
    caught = 0
    for repeat in range(200):
        positive, first, groups = clustered(rng, 15, 3, 1.2, 0.5)
        second = 0.6 * (first - 1.2 * positive) + 1.2 * positive
        second += 0.8 * (clustered(rng, 15, 3, 0.0, 0.5)[1])
        resamples = Resamples(groups, positive, count=400, seed=[repeat])
        gap = resamples.auroc(positive, first) - resamples.auroc(positive, second)
        limits = percentile_limits(gap, 15, 0.95)
        assert limits is not None
        caught += limits[0] <= 0 <= limits[1]
    assert caught / 200 >= 0.91


def test_perfect_auroc_of_eight_images_is_not_certain() -> None:
    positive = np.arange(8) >= 4
    found = figure_of(positive, np.arange(8.0), np.arange(8), 0)
    assert found.value == 1.0
    assert found.low == pytest.approx(0.583, abs=0.005)
    assert found.high == 1.0
    assert "every pair" in found.note
    worst = figure_of(positive, -np.arange(8.0), np.arange(8), 0)
    assert (worst.value, worst.low) == (0.0, 0.0)
    assert worst.high == pytest.approx(1 - 0.583, abs=0.005)


def test_more_images_of_the_same_patients_do_not_make_perfection_more_certain() -> None:
    few = figure_of(np.arange(8) >= 4, np.arange(8.0), np.arange(8), 0)
    groups = np.repeat(np.arange(8), 10)
    many = figure_of(groups >= 4, groups + np.linspace(0, 0.9, 80), groups, 0)
    assert many.low == pytest.approx(few.low)


def test_a_single_patient_of_a_class_still_gives_a_wide_interval() -> None:
    groups = np.repeat(np.arange(6), 4)
    rng = np.random.default_rng(0)
    found = figure_of(groups == 0, rng.random(24) + (groups == 0) * 0.4, groups, 0)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low > 0.4


def test_newcombe_is_symmetric_and_narrows_with_patients() -> None:
    low, high = newcombe(0.8, 20, 30, 0.95)
    assert newcombe(0.2, 20, 30, 0.95) == pytest.approx((1 - high, 1 - low), abs=1e-6)
    assert newcombe(0.8, 200, 300, 0.95)[0] > low
    assert 0 < low < 0.8 < high < 1


def test_wilson_matches_the_published_example() -> None:
    """Newcombe, Statistics in Medicine 1998;17:857: 81 of 263 gives 0.2553 to 0.3662."""
    assert wilson(81 / 263, 263, 0.95) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_proportion_uses_wilson_with_one_image_a_patient_and_widens_with_several() -> None:
    hits, counted = np.arange(40) < 30, np.ones(40, bool)
    single = proportion(hits, counted, np.arange(40), 0.95)
    assert (single.low, single.high) == wilson(0.75, 40, 0.95)
    assert single.method == "Wilson"
    several = proportion(hits, counted, np.arange(40) // 5, 0.95)
    assert single.low is not None
    assert several.low is not None
    assert several.low < single.low
    assert (several.numerator, several.denominator, several.patients) == (30, 40, 8)
    perfect = proportion(counted, counted, np.arange(40) // 5, 0.95)
    assert perfect.low is not None
    assert perfect.low < wilson(1.0, 8, 0.95)[0] + 1e-9
    assert proportion(hits, ~counted, np.arange(40), 0.95).value is None


def test_resamples_are_seeded_stratified_and_the_same_in_any_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    groups, strata = np.arange(30) // 2, (np.arange(30) // 2 < 3).astype(int)
    resamples = Resamples(groups, strata, count=50, seed=[4])
    whole = np.concatenate(list(resamples.blocks()))
    assert (whole[:, :3].sum(axis=1) == 3).all()
    assert (whole[:, 3:].sum(axis=1) == 12).all()
    monkeypatch.setattr("core.evaluation.intervals.BLOCK", 100)
    assert (np.concatenate(list(resamples.blocks())) == whole).all()
    other = Resamples(groups, strata, count=50, seed=[5])
    assert (np.concatenate(list(other.blocks())) != whole).any()


def test_a_patient_with_two_classes_belongs_to_one_stratum() -> None:
    groups, strata = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 0, 1, 0])
    whole = np.concatenate(list(Resamples(groups, strata, count=20, seed=[0]).blocks()))
    assert (whole.sum(axis=1) == 3).all()
    assert (whole[:, 1] == 1).all()  # the tie goes to the rarer class, whose only patient it is


def test_limits_that_would_mean_nothing_are_not_given() -> None:
    assert percentile_limits(np.ones(100), 20, 0.95) is None
    assert percentile_limits(np.r_[np.full(30, np.nan), np.arange(70.0)], 20, 0.95) is None
    assert percentile_limits(np.arange(100.0), 1, 0.95) is None
    wide, narrow = (percentile_limits(np.arange(1000.0), n, 0.95) for n in (5, 500))
    assert wide is not None
    assert narrow is not None
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_two_thousand_resamples_of_two_thousand_images_are_fast() -> None:
    rng = np.random.default_rng(0)
    positive, scores = rng.random(2000) < 0.4, rng.random(2000)
    start = time.perf_counter()
    drawn = Resamples(np.arange(2000), positive, count=2000, seed=[0]).auroc(positive, scores)
    assert time.perf_counter() - start < 3
    assert drawn.size == 2000
    assert np.isfinite(drawn).all()
    once = weighted_auroc(positive, scores, np.ones((1, 2000)))[0]
    assert drawn.mean() == pytest.approx(once, abs=0.005)
