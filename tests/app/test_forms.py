"""Forms: what they show of a configuration, and what they make of what was typed."""

from __future__ import annotations

from typing import Any

import pytest

from app.fields import field_at, field_title, read_values, shown_values, split_path
from core.choosing import demo_config
from core.config import DataSettings, PixelSettings, RunConfig, Window
from core.errors import ConfigError

PATHS = (
    "data.labels", "data.label_columns", "data.patient_pattern", "data.pixels.size_px",
    "data.pixels.window", "split.test", "method.hybrid.start", "train.balance", "train.seed",
)  # fmt: skip


PLACES = [split_path(path) for path in PATHS]


def typed(**changes: Any) -> list[Any]:
    """What a form holds after somebody changed some of it; ``_`` stands for a dot."""
    values = shown_values(PLACES, demo_config())
    names = [path.replace(".", "_") for path in PATHS]
    for name, value in changes.items():
        values[names.index(name)] = value
    return values


def read(values: list[Any]) -> RunConfig:
    """The demo's configuration with what a form holds."""
    return read_values(PLACES, values, demo_config())


@pytest.mark.parametrize("path", PLACES, ids=PATHS)
def test_every_setting_has_a_name_and_a_sentence(path: tuple[str, ...]) -> None:
    assert field_title(path)[0].isupper()
    assert (field_at(path).description or "").endswith(".")


def test_what_is_shown_is_what_is_read() -> None:
    assert read(shown_values(PLACES, demo_config())) == demo_config()


def test_changes_are_taken_over_and_the_rest_stays() -> None:
    values = typed(
        data_labels="csv",
        data_label_columns=" edema,, effusion ",
        data_patient_pattern=r" ^(\d+)_ ",
        data_pixels_size_px=96.0,
        data_pixels_window="40; 400",
        method_hybrid_start=1,
    )
    changed = read(values)
    assert changed.data == DataSettings(
        source="demo",
        labels="csv",
        label_columns=("edema", "effusion"),
        patient_pattern=r"^(\d+)_",
        pixels=PixelSettings(size_px=96, window=Window(center=40, width=400)),
    )
    assert changed.train == demo_config().train


def test_a_window_is_shown_and_can_be_taken_away() -> None:
    window = Window(center=-600, width=1500)
    pixels = PixelSettings(size_px=128, window=window)
    config = RunConfig(data=DataSettings(source="demo", pixels=pixels))
    values = shown_values(PLACES, config)
    assert values[4] == "-600, 1500"
    values[4] = " "
    assert read_values(PLACES, values, config).data.pixels.window is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("data_labels", "guess", "Labels: "),
        ("data_label_columns", " , ", "Label columns: "),
        ("data_pixels_size_px", 31, "Size (px): "),
        ("data_pixels_size_px", None, "Size (px): "),
        ("data_pixels_size_px", 96.5, "Size (px): "),
        ("data_pixels_size_px", "96", "Size (px): "),
        ("data_pixels_window", "40", "Window: "),
        ("data_pixels_window", "40, wide", "Window: "),
        ("data_pixels_window", "40, 0", "Width: "),
        ("data_pixels_window", "40, nan", "Width: "),
        ("split_test", 0.5, "Test: "),
        ("train_balance", "yes", "Balance: "),
        ("train_seed", True, "Seed: "),
        ("train_seed", -1, "Seed: "),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=r"C01|C14") as refusal:
        read(typed(**{name: value}))
    assert words in refusal.value.what
    assert refusal.value.todo


def test_all_mistakes_are_named_at_once() -> None:
    values = typed(split_test=0.9, data_pixels_size_px=1)
    with pytest.raises(ConfigError) as refusal:
        read(values)
    assert "Test: " in refusal.value.what
    assert "Size (px): " in refusal.value.what
