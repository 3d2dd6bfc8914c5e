"""Order of operations from stored values to [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.config import Window
from core.data.pixels import (
    HOUNSFIELD,
    UNKNOWN_UNIT,
    Grey,
    Table,
    modality_values,
    render,
    valid_windows,
    windowed,
)

STORED = np.array([[0, 500, 1000, 1500]], dtype=np.uint16)


def test_the_three_functions_have_the_standards_values() -> None:
    value = np.array([10.0])
    assert windowed(value, 40, 80, "LINEAR")[0] == pytest.approx((10 - 39.5) / 79 + 0.5)
    assert windowed(value, 40, 80, "LINEAR_EXACT")[0] == pytest.approx(0.125)
    assert windowed(value, 40, 80, "SIGMOID")[0] == pytest.approx(1 / (1 + np.exp(1.5)))
    assert windowed(np.array([39.0, 40.0]), 40, 1, "LINEAR").tolist() == [0.0, 1.0]


def test_rescale_comes_before_the_window() -> None:
    grey = Grey(bits=12, signed=False, slope=2.0, intercept=-1024, windows=((976.0, 2000.0),))
    shown, words = render(STORED, grey, None)
    expected = np.clip((STORED * 2.0 - 1024 - 975.5) / 1999 + 0.5, 0, 1)
    np.testing.assert_allclose(shown, expected, atol=1e-6)
    assert words == "file 1 of 1: 976/2000 LINEAR"


def test_monochrome1_is_inverted_once_and_last() -> None:
    plain = Grey(bits=12, signed=False, windows=((700.0, 900.0),))
    inverted = Grey(bits=12, signed=False, windows=((700.0, 900.0),), inverted=True)
    shown, words = render(STORED, inverted, None)
    np.testing.assert_allclose(shown, 1 - render(STORED, plain, None)[0], atol=1e-6)
    assert words.endswith("MONOCHROME1 inverted")


def test_the_first_valid_window_is_used() -> None:
    nan = float("nan")
    grey = Grey(
        bits=12, signed=False, windows=((nan, 10.0), (40.0, 0.0), (50.0, 300.0), (1.0, 2.0))
    )
    assert valid_windows(grey) == [(3, 50.0, 300.0), (4, 1.0, 2.0)]
    assert "file 3 of 4: 50/300" in render(STORED, grey, None)[1]


@pytest.mark.parametrize("windows", [(), ((40.0, 0.0),), ((40.0, -3.0),), ((40.0, 0.5),)])
def test_case_17_without_a_usable_window_the_fallback_is_recorded(
    windows: tuple[tuple[float, float], ...],
) -> None:
    shown, words = render(STORED, Grey(bits=12, signed=False, windows=windows), None)
    assert words.startswith("percentiles 1-99")
    assert words.endswith("(window ignored)" if windows else "(no window)")
    assert shown.min() == 0
    assert shown.max() == 1


def test_eight_bits_fall_back_to_the_whole_range_even_with_a_negative_slope() -> None:
    stored = np.array([[0, 255]], dtype=np.uint8)
    shown, words = render(stored, Grey(bits=8, signed=False, slope=-1.0), None)
    assert shown.tolist() == [[1.0, 0.0]]
    assert words.startswith("full range -255..0")


def test_case_17_an_unknown_function_is_ignored_and_said() -> None:
    grey = Grey(bits=12, signed=False, windows=((700.0, 900.0),), function="FOO")
    assert "unknown function ignored" in render(STORED, grey, None)[1]


def test_padding_is_black_and_outside_the_percentiles() -> None:
    stored = np.full((20, 20), 1000, dtype=np.int16)
    stored[:10] = np.arange(200).reshape(10, 20)
    stored[-1] = -2000
    for inverted in (False, True):
        grey = Grey(bits=16, signed=True, padding=(-2000, -2000), inverted=inverted)
        shown, words = render(stored, grey, None)
        assert (shown[-1] == 0).all()
        assert "-2000" not in words


def test_the_chosen_window_beats_the_files() -> None:
    grey = Grey(bits=12, signed=False, windows=((1.0, 2.0),))
    shown, words = render(STORED, grey, Window(center=750, width=1500))
    np.testing.assert_allclose(shown, STORED / 1500, atol=1e-6)
    assert words.startswith("chosen 750/1500")


def test_tables_repeat_their_ends_and_beat_slope_and_window() -> None:
    table = Table(first=500, values=np.array([7, 8, 9]))
    grey = Grey(bits=12, signed=False, slope=3.0, modality_table=table)
    assert modality_values(STORED, grey).tolist() == [[7, 7, 9, 9]]
    voi = Grey(bits=12, signed=False, windows=((1.0, 2.0),), voi_tables=(table,))
    shown, words = render(STORED, voi, None)
    assert shown.tolist() == [[0, 0, 1, 1]]
    assert words == "file table of 3 values"


def test_a_flat_picture_stays_finite() -> None:
    shown, _ = render(np.full((4, 4), 9, dtype=np.uint16), Grey(bits=12, signed=False), None)
    assert np.isfinite(shown).all()


HU = {"bits": 16, "signed": True, "unit": HOUNSFIELD}
LUNG = ((40.0, 400.0), (-600.0, 1500.0))


def words(grey: Grey, wanted: str = "") -> str:
    return render(STORED, grey, None, wanted)[1]


def test_ct_takes_a_preset_even_where_the_file_has_a_window() -> None:
    grey = Grey(**HU, windows=((50.0, 350.0),), intercept=-1024.0)
    shown, said = render(STORED, grey, None)
    assert said == "preset soft tissue 40/400 LINEAR_EXACT"
    np.testing.assert_allclose(shown, np.clip((STORED - 1024.0 - 40) / 400 + 0.5, 0, 1), atol=1e-6)
    assert words(grey, "file") == "file 1 of 1: 50/350 LINEAR"
    assert words(grey, "Lung") == "preset lung -600/1500 LINEAR_EXACT"


def test_presets_are_for_hounsfield_units_alone() -> None:
    plain = Grey(bits=12, signed=False, windows=((50.0, 350.0),))
    assert words(plain, "lung").startswith("file 1 of 1: 50/350 LINEAR (not the window chosen")
    assert words(Grey(bits=12, signed=False, unit=UNKNOWN_UNIT), "lung").startswith("preset lung")
    assert words(Grey(bits=12, signed=False, unit=UNKNOWN_UNIT)).startswith("percentiles")


def test_case_16_windows_are_chosen_by_explanation_or_place() -> None:
    grey = Grey(**HU, windows=LUNG, names=("Weich", "LUNGE"))
    assert words(grey, "lunge") == "file 2 of 2: -600/1500 LINEAR"
    assert words(grey, "window 1") == "file 1 of 2: 40/400 LINEAR"
    assert words(grey, "window 3").startswith("preset soft tissue 40/400 LINEAR_EXACT (not the")
    table = Table(first=0, values=np.arange(2000), name="Gamma")
    both = Grey(bits=12, signed=False, windows=LUNG, voi_tables=(Table(0, np.arange(9)), table))
    assert words(both, "gamma") == "file table of 2000 values"
    assert words(both) == "file table of 9 values"


def test_numbers_that_are_none_are_black_and_outside_the_range() -> None:
    stored = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    stored[0, :3] = (np.nan, np.inf, -np.inf)
    shown, said = render(stored, Grey(bits=32, signed=True, padding=(1.0, 1.0)), None)
    assert np.isfinite(shown).all()
    assert (shown[0, :3] == 0).all()
    assert shown[-1, -1] == 0  # padding
    assert said.startswith("percentiles 1-99: 0.0")


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"windows": ((100.0, 50.0),)},
        {"windows": ((100.0, 50.0),), "function": "SIGMOID", "inverted": True},
        {"slope": -0.37, "intercept": 12.5, "padding": (3, 17)},
        {"voi_tables": (Table(-5, np.arange(90) ** 2),), "padding": (-9000, 9000)},
    ],
)
def test_rendering_by_value_equals_rendering_every_pixel(
    dtype: str, options: dict[str, Any]
) -> None:
    """Up to 16 bits each value is rendered once; wider numbers take the other way."""
    info = np.iinfo(dtype)
    values = np.random.default_rng(4).normal(info.max / 3, info.max / 4, (40, 40))
    stored = values.clip(info.min, info.max).astype(dtype)
    grey = Grey(bits=16, signed=info.min < 0, **options)
    quick, quick_words = render(stored, grey, None)
    plain, plain_words = render(stored.astype(np.int64), grey, None)
    np.testing.assert_allclose(quick, plain, atol=1e-6)
    assert quick_words == plain_words
