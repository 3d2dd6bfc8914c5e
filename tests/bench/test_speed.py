"""What `bench speed` makes of its timings; the timings themselves are no matter of tests."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from rich.console import Console

from core.benchmarks import speed
from core.benchmarks.speed import PAIRS, SIDES, WANTED, Speed
from core.benchmarks.speed_pair import EPOCHS, VIEWS, speed_config
from core.benchmarks.speed_runs import SAVES, TeacherPass, reckon
from core.benchmarks.speed_steps import WARM_UP, ratio, time_in_turns
from core.files import write_json
from core.types import SilentReporter

TEACHER = TeacherPass(bare=10.0, stored=16.0, images=96, clean=32, chosen=3.0)
EPOCH = {
    "student_only": [1.0, 1.2, 9.0],
    "student_only/validate": [0.2, 0.2, 0.2],
    "student_only/save": [0.1, 0.1, 0.1],
    "rd": [1.3, 1.3, 1.3],
    "rd/validate": [0.3, 0.3, 5.0],
    "rd/save": [0.1, 0.1, 0.1],
    "online": [11.0, 11.0, 11.0],
}


def test_kinds_take_turns_and_the_first_do_not_count() -> None:
    done: list[tuple[str, int]] = []
    kinds = {name: lambda turn, name=name: done.append((name, turn)) for name in ("a", "b")}
    seconds = time_in_turns(kinds, 3, SilentReporter())
    assert done == [(name, turn) for turn in range(WARM_UP + 3) for name in ("a", "b")]
    assert {name: len(found) for name, found in seconds.items()} == {"a": 3, "b": 3}


def test_a_ratio_is_that_of_neighbours() -> None:
    """A machine that was busy for two turns out of three does not change it."""
    seconds = {"rd": [1.1, 11.0, 55.0], "student_only": [1.0, 10.0, 50.0]}
    assert ratio(seconds, "rd", "student_only") == pytest.approx(1.1)


def test_whole_runs_are_reckoned_from_epochs_and_passes() -> None:
    found = reckon(EPOCH, TEACHER)
    store = 16 / 128 * (VIEWS * 96 + 32) + 3
    assert found["run"] == pytest.approx(EPOCHS * (1.3 + 0.3) + SAVES * 0.1 + store)
    assert found["ideal"] == pytest.approx(EPOCHS * (1.2 + 0.2) + SAVES * 0.1 + VIEWS * 10)
    assert found["online"] == pytest.approx(EPOCHS * (11 + 0.3) + SAVES * 0.1)


def test_the_table_says_what_is_kept_and_what_is_missed() -> None:
    limits = {name: wanted.limits[PAIRS[0]] for name, wanted in WANTED.items()}
    pair: dict[str, Any] = {
        **limits,
        "run_speedup_over_online_teacher": 1.0,
        "images_per_second": dict.fromkeys(SIDES, 12.5),
        "device": {"precision": "bfloat16"},
        "full": {"run": 12.0, "ideal": 10.0},
    }
    result = {"teacher": "A teacher", "image_px": 224, "batch": 32, "pairs": {PAIRS[0]: pair}}
    written = io.StringIO()
    Console(width=120, file=written).print(Speed().table(result))
    said = written.getvalue()
    assert said.count("kept") == 4
    assert said.count("missed") == 1
    assert "≥ 2.50" in said
    assert "12.5" in said
    assert "1.20" in said


def test_a_student_that_was_measured_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tmp_path / "speed.json"
    pairs = {
        name: {"config_sha256": speed_config(name, "rd", VIEWS).sha256, "value": number}
        for number, name in enumerate(PAIRS)
    }
    write_json(rows, {"pairs": pairs})
    assert Speed().resume(SilentReporter(), (), rows)["pairs"] == pairs

    measured: list[str] = []
    kept: list[int] = []

    def measure(bench: object, student: str, *_: object) -> dict[str, int]:
        measured.append(student)
        return {"value": 7}

    for name in ("speed_data", "speed_teacher", "Bench", "choose_accelerator"):
        monkeypatch.setattr(speed, name, MagicMock())
    monkeypatch.setattr(speed, "time_teacher", lambda *_: TEACHER)
    monkeypatch.setattr(speed, "_measure", measure)
    monkeypatch.setattr(speed, "write_json", lambda file, result: kept.append(len(result["pairs"])))
    pairs[PAIRS[1]]["config_sha256"] = "of other settings"
    write_json(rows, {"pairs": pairs})
    found = Speed().resume(SilentReporter(), (), rows)["pairs"]
    assert measured == [PAIRS[1]]
    assert [found[name]["value"] for name in PAIRS] == [0, 7]
    assert kept == [2]
    Speed().resume(SilentReporter(), (), tmp_path / "none.json")
    assert kept == [2, 1, 2]  # each is written as soon as it is there


def test_the_settings_are_the_defaults_of_every_run() -> None:
    config = speed_config("resnet18", "rd")
    plain = config.model_copy(update={"train": config.train.model_copy(update={"patience": 10})})
    assert plain.train == type(config.train)()
    assert plain.method == type(config.method)()
    assert plain.device == type(config.device)()
