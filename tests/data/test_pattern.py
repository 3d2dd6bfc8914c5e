"""Patients in file names: what a pattern does, which ones make sense, which ones are refused."""

from __future__ import annotations

import time

import pytest

from core.data import pattern as module
from core.data.pattern import compile_pattern, patient_in, preview_pattern, suggest_patterns
from core.errors import ConfigError

SERIES = [f"a/{patient:03d}_{view}.png" for patient in range(40) for view in range(3)]


def test_a_preview_counts_and_shows() -> None:
    preview = preview_pattern([*SERIES, "a/other.png"], r"^(\d+)_")
    assert (preview.patients, preview.images, preview.unmatched, preview.largest) == (40, 121, 1, 3)
    assert preview.sentence == "40 patients, 121 images; no patient is found in 1 of them."
    unmatched, first, *_ = preview.examples
    assert (unmatched.before, unmatched.patient) == ("other.png", "")
    assert (first.before, first.patient, first.after) == ("", "000", "_0.png")


def test_a_pattern_with_a_slash_sees_the_folders() -> None:
    names = ["x/anna/1.png", "x/anna/2.png", "x/bert/1.png"]
    assert preview_pattern(names, r"([^/]+)/[^/]+$").patients == 2
    assert patient_in(names[0], compile_pattern(r"([^/]+)/[^/]+$")) == "anna"
    assert patient_in(names[0], compile_pattern(r"^(\d)")) == "1"
    assert patient_in(names[0], None) == ""


@pytest.mark.parametrize("text", ["(", "no group", ""])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ConfigError, match="C11"):
        preview_pattern(SERIES, text)


def test_a_pattern_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 1.0)
    start = time.monotonic()
    with pytest.raises(ConfigError, match="C16"):
        preview_pattern(["a" * 80 + "b.png"], r"^((a+)+)$")
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("names", "patient"),
    [
        (SERIES, "017"),
        ([f"c/person{n}_virus_{k}.jpeg" for n in range(30) for k in (3, 9)], "person17"),
        ([f"c/IM-{n:04d}-{k:04d}.jpeg" for n in range(30) for k in range(2)], "IM-0017"),
        ([f"MUELLER{n}/{k}.dcm" for n in range(30) for k in range(4)], "MUELLER17"),
    ],
)
def test_sensible_groups_are_suggested(names: list[str], patient: str) -> None:
    best = suggest_patterns(names)[0].preview
    assert best.patients == len(names) // best.largest
    compiled = compile_pattern(best.pattern)
    assert any(patient_in(name, compiled) == patient for name in names)
    assert preview_pattern(names, best.pattern) == best


@pytest.mark.parametrize(
    "names",
    [
        [f"benign/benign ({n}).png" for n in range(200)],
        [f"{kind}/img{n}.png" for kind in ("a", "b") for n in range(100)],
        ["a/1.png", "b/2.png"],
        [],
    ],
)
def test_nothing_is_suggested_where_names_tell_nothing(names: list[str]) -> None:
    assert suggest_patterns(names) == []
