"""The accuracy grid on made images: resumes, keeps test images apart, refuses what it must."""

from __future__ import annotations

import io
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from core.benchmarks.accuracy import Accuracy
from core.benchmarks.grid.comparing import compare
from core.benchmarks.grid.plan import (
    AGAIN,
    AGAIN_SEEDS,
    FITTED_PROBE,
    FRACTIONS,
    PROBE,
    SETS,
    TEACHERS,
    TEST_SEEDS,
    TUNING_SEEDS,
    Cell,
    Run,
    again_grid,
    core_grid,
    full_grid,
)
from core.benchmarks.grid.rows import RowFile, finished, missing, pack, unpack
from core.benchmarks.grid.sets import GridSet, draw_groups, load_set
from core.benchmarks.grid.working import Worker
from core.errors import ConfigError
from core.files import sha256_file
from core.objectives.methods import METHODS
from core.teachers.catalogue import find_teacher
from core.types import SilentReporter, SplitName
from tests.tiny import write_images, write_tiny_teacher

CELL = Cell("tiny", 0.5, "bedside-r10", student="resnet10t", image_px=32, steps=2, views=2)
TUNING, TEST = TUNING_SEEDS[0], TEST_SEEDS[0]


@pytest.fixture(name="images")
def _images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images", patients=14)


def load(images: Path, workspace: Path) -> GridSet:
    return load_set(images, "tiny", 32, find_teacher("bedside-r10"), workspace, SilentReporter())


def frame_of(sizes: dict[str, int]) -> pd.DataFrame:
    """Rows of groups named ``class-number``, with so many images each."""
    groups = [group for group, size in sizes.items() for _ in range(size)]
    return pd.DataFrame({"group": groups, "labels": [[group[0]] for group in groups]})


def test_runs_are_resumed_and_read_the_test_images_with_test_seeds_only(
    images: Path, workspace: Path
) -> None:
    file = RowFile(workspace / "rows.jsonl")
    wanted = {
        TUNING: ("rd",),
        TEST: ("student_only", "rd", PROBE),
        TEST + 1: ("rd", FITTED_PROBE),
    }
    runs = [Run(CELL, method, seed, {}) for seed, names in wanted.items() for method in names]
    worker = Worker(file, {"tiny": images}, SilentReporter())
    worker.work(runs[:2])
    begun = file.path.read_text(encoding="utf-8")
    file.path.write_text(begun + '{"row":"run","key', encoding="utf-8")  # killed while writing
    assert missing(runs, file.read()) == runs[2:]
    worker.work(runs)
    done = file.path.read_text(encoding="utf-8")
    assert done.startswith(begun)
    assert not missing(runs, file.read())
    worker.work(runs)
    assert file.path.read_text(encoding="utf-8") == done
    rows = finished(file.read())
    assert len(rows) == len(runs)
    assert "test" not in rows[runs[0].key]
    assert all(rows[run.key]["test_auroc"] is not None for run in runs[1:])
    by_method = {run.method: rows[run.key] for run in runs[1:4]}
    assert by_method["rd"]["trained_steps"] == by_method["student_only"]["trained_steps"] == 2
    assert by_method["rd"]["train_images"] == by_method["student_only"]["train_images"]
    assert not list((workspace / "accuracy").glob("*/"))  # the features are thrown away

    found = compare(file.read(), runs[1:])
    assert found["done"] == len(runs) - 1
    assert found["cells"][0]["methods"]["rd"]["seeds"] == 2


def test_a_set_is_divided_alike_on_every_computer(images: Path, tmp_path: Path) -> None:
    sets = [load(images, tmp_path / name) for name in ("here", "there")]  # two site keys
    assert sets[0].sha256 == sets[1].sha256
    assert sets[0].facts() == sets[1].facts()
    parts = [one.part(0.5, TEST).images["image"].tolist() for one in sets]
    assert parts[0] == parts[1]


def test_no_test_image_is_among_those_a_run_may_use(images: Path, workspace: Path) -> None:
    data = load(images, workspace)
    used = data.part(1.0, TEST)
    assert not set(used.images["image"]) & set(data.test["image"])
    assert not set(used.images["group"]) & set(data.test["group"])
    assert len(used.part(SplitName.TRAIN)) > len(data.part(0.5, TEST).part(SplitName.TRAIN)) > 0
    first, second = (set(data.part(0.5, seed).images["image"]) for seed in (TEST, TEST + 1))
    assert first != second


def test_groups_are_drawn_whole_and_every_class_is_there() -> None:
    sizes = {f"a{number}": 1 + number % 3 for number in range(40)}
    frame = frame_of(sizes | {"b0": 3, "b1": 2})
    drawn = draw_groups(frame, 0.2, "5/train")
    taken = drawn["group"].value_counts().to_dict()
    assert all(sizes.get(group, taken[group]) == size for group, size in taken.items())
    assert set(drawn["group"].str[0]) == {"a", "b"}
    assert sum(size for group, size in taken.items() if group[0] == "a") == round(0.2 * 79)
    assert draw_groups(frame, 0.2, "6/train")["group"].tolist() != drawn["group"].tolist()
    assert len(draw_groups(frame, 1.0, "5/train")) == len(frame)


def test_a_set_that_stands_in_the_teachers_card_is_refused(images: Path, workspace: Path) -> None:
    file = write_tiny_teacher(workspace / "teachers")
    seen = sha256_file(next(images.rglob("*.png")))
    listing = file.with_name(f"{file.stem}.images.csv")
    listing.write_text(f"sha256,perceptual_hash,data\n{seen},{'0' * 16},made\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="C22"):
        load_set(images, "tiny", 32, find_teacher(str(file)), workspace, SilentReporter())


def test_rows_of_other_images_are_refused(tmp_path: Path) -> None:
    file = RowFile(tmp_path / "rows.jsonl")
    facts = {"set": "tiny", "data_sha256": "a"}
    file.add_set(facts)
    file.add_set(facts)
    assert len(file.read()) == 1
    with pytest.raises(ConfigError, match="C23"):
        file.add_set(facts | {"data_sha256": "b"})


def test_probabilities_survive_packing_near_both_ends() -> None:
    scores = np.array([[0.5, 0.3, 0.2], [0.99998, 1.5e-5, 5e-6], [0.99999, 0.9e-5, 1e-6]])
    again = unpack(pack(scores), 3)
    np.testing.assert_allclose(again, scores, rtol=0.006)
    assert (np.argsort(again, axis=0) == np.argsort(scores, axis=0)).all()


def test_the_core_grid_gives_whole_comparisons_early() -> None:
    runs = list(core_grid(SETS))
    methods = [run.method for run in runs if run.cell == runs[0].cell and run.seed == TEST]
    assert [run.method for run in runs[: len(methods)]] == methods
    assert methods[-1] == PROBE
    assert [run.cell for run in runs[:: 5 * len(methods)]] == [
        Cell(name, fraction, teacher)
        for teacher in TEACHERS
        for name in SETS
        for fraction in FRACTIONS
    ]
    alone = [run for run in runs if run.method == "student_only"]
    assert len({run.key for run in alone}) * len(TEACHERS) == len(alone)  # once for all teachers
    assert len({run.key for run in runs}) == len(runs) - len(alone) + len(alone) // len(TEACHERS)
    full = list(full_grid(SETS))
    assert full[: len(runs)] == runs
    assert len({run.key for run in full}) == len(full) - len(alone) + len(alone) // len(TEACHERS)
    assert {run.method for run in full} == {*METHODS, PROBE, FITTED_PROBE}
    assert all(run.config(40).train.epochs <= 2000 for run in full)


def test_the_second_reading_is_in_the_same_cells_with_new_seeds() -> None:
    first, again = list(core_grid(SETS)), list(again_grid(SETS))
    assert not {run.key for run in again} & {run.key for run in first}
    assert {run.seed for run in again} == set(AGAIN_SEEDS)
    assert not set(AGAIN_SEEDS) & {*TUNING_SEEDS, *range(5, 10), *TEST_SEEDS}  # 5 to 9: protocol 2
    cells = {run.cell for run in first if run.cell.teacher == TEACHERS[0]}
    methods = {method for pair in AGAIN for method in pair}
    assert {(run.cell, run.method) for run in again} == {*product(cells, methods)}
    assert len(again) == len(cells) * len(methods) * len(AGAIN_SEEDS)


def test_readings_are_compared_apart_and_together(images: Path, workspace: Path) -> None:
    file = RowFile(workspace / "rows.jsonl")
    runs = [Run(CELL, name, seed, {}) for seed in (TEST, 15, 16) for name in ("student_only", "rd")]
    Worker(file, {"tiny": images}, SilentReporter()).work(runs)
    for some in (runs[:2], runs[2:], runs):
        (cell,) = compare(file.read(), some)["cells"]
        assert cell["methods"]["rd"]["seeds"] == len(some) // 2


def test_the_table_says_what_is_missing(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.touch()
    result = Accuracy().resume(SilentReporter(), [], rows)
    assert result["done"] == 0
    assert len(result["missing"]) == result["runs"]
    console = Console(width=120, file=io.StringIO())
    console.print(Accuracy().table(result))
    shown = str(console.file.getvalue())
    assert f"0 of {result['runs']} runs" in shown
    assert f"{result['runs']} runs are missing" in shown


def test_folders_that_are_no_set_and_no_folders_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BEDSIDE_TEST_DATA", raising=False)
    rows = tmp_path / "rows.jsonl"
    with pytest.raises(ConfigError, match="C21"):
        Accuracy().resume(SilentReporter(), [], rows)
    with pytest.raises(ConfigError, match="C24"):
        Accuracy().resume(SilentReporter(), [tmp_path], rows)
