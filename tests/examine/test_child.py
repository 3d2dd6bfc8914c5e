"""One picture looked at: the same answer as everywhere else, and a bad one costs itself."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import core.examine
from core.data.manifest import open_dataset, read_paths
from core.errors import RunError
from core.examine import Examiner, _fresh_phantom
from core.files import read_json
from core.inference.batch import predict_paths
from core.inference.explain import heat_map
from core.inference.predictor import Predictor
from core.types import SilentReporter, SplitName
from tests.examine.conftest import Finished

Facts = dict[str, Any]


@pytest.fixture(scope="module")
def examiner(finished: Finished) -> Iterator[Examiner]:
    made = Examiner(finished.workspace)
    yield made
    made.close()


@pytest.fixture
def look(finished: Finished, examiner: Examiner, tmp_path: Path) -> Any:
    """Examine something; returns the facts and the folder."""

    def asked(**what: Any) -> tuple[Facts, Path]:
        target = tmp_path / f"examination-{len(list(tmp_path.iterdir()))}"
        target.mkdir()
        question = {"do": "examine", "run": finished.run.id, "target": str(target)}
        return examiner.answer(question | what), target

    return asked


def test_probabilities_are_those_of_predict(finished: Finished, look: Any) -> None:
    files = [*sorted(finished.images.glob("*.dcm"))[:3], *sorted(finished.images.glob("*.png"))[:3]]
    predictor = Predictor.open(finished.run.export)
    table = predict_paths(predictor, files, SilentReporter())
    for file, row in zip(files, table.to_dict("records"), strict=True):
        facts, _ = look(path=str(file))
        told = [row[f"p_{name}"] for name in predictor.card.classes]
        assert np.abs(np.array(facts["student"]) - told).max() < 1e-6
        assert facts["predicted"] == row["predicted"]
        assert facts["truth"] is None
    assert table[[f"p_{name}" for name in predictor.card.classes]].std().min() > 1e-5


def test_validation_images_get_the_reports_probabilities(finished: Finished, look: Any) -> None:
    table = pd.read_parquet(finished.run.report / "validation.parquet").head(4)
    classes = read_json(finished.run.report / "validation.json")["classes"]
    for row in table.to_dict("records"):
        facts, _ = look(image=row["image"])
        for who, start in (("student", "p_"), ("teacher", "teacher_")):
            told = [row[f"{start}{name}"] for name in classes]
            assert np.abs(np.array(facts[who]) - told).max() < 1e-6, who
        assert facts["truth"] == [row["target"]]
        assert facts["remarks"] == []


def test_the_pictures_are_those_the_student_was_given(
    finished: Finished, look: Any, examiner: Examiner
) -> None:
    file = sorted(finished.images.glob("*.dcm"))[0]
    facts, target = look(path=str(file))
    tensor = np.load(target / "input.npy")
    shown = np.asarray(Image.open(target / "input.png"))
    assert np.array_equal(shown, np.rint(tensor[0, 0] * 255).astype(np.uint8))
    assert facts["input_px"] == len(shown) == 32
    question = {"do": "heat", "run": finished.run.id, "target": str(target), "class": 1}
    told = examiner.answer(question)
    import torch

    student = Predictor.open(finished.run.export).student
    wanted = np.rint(heat_map(student, torch.from_numpy(tensor), 1)[0] * 255)
    assert np.array_equal(np.asarray(Image.open(target / "heat-1.png")), wanted)
    assert told["empty"] == (not wanted.any())
    assert "not why" in told["caption"]
    assert "Grad-CAM" in told["method"]


def test_a_bad_file_has_its_code_and_the_next_goes_on(look: Any, tmp_path: Path) -> None:
    bad = tmp_path / "DOE^JANE.png"
    bad.write_text("not a picture")
    facts, _ = look(path=str(bad))
    assert (facts["code"], facts.get("student")) == ("P01", None)
    assert "DOE" not in str(facts)
    even = tmp_path / "even.png"
    Image.fromarray(np.full((400, 300), 90, np.uint8)).save(even)
    facts, _ = look(path=str(even))
    assert facts["code"] == ""
    assert facts["remarks"] == ["even", "size"]
    assert facts["placed"] == [0.125, 0.0, 0.75, 1.0]


def test_colours_for_a_grey_model_are_shown_and_refused(look: Any, tmp_path: Path) -> None:
    file = tmp_path / "colours.png"
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file)
    facts, target = look(path=str(file))
    assert facts["code"] == "M46"
    assert facts["todo"]
    assert facts["width"] == 32
    assert (target / "view.bin").is_file()


def test_a_validation_image_whose_file_has_changed_is_shown_from_the_cache(
    finished: Finished, examiner: Examiner, tmp_path: Path
) -> None:
    dataset = open_dataset(finished.run.path, finished.workspace)
    image = dataset.part(SplitName.VALIDATION)["image"].iloc[-1]
    file = finished.images / read_paths(dataset.folder)[image]
    question = {"do": "examine", "run": finished.run.id, "target": str(tmp_path), "image": image}
    before = examiner.answer(question)
    kept = tmp_path / "kept"
    shutil.move(file, kept)
    try:
        gone = examiner.answer(question)
        shutil.copy(next(finished.images.glob("*.png")), file)
        changed = examiner.answer(question)
    finally:
        shutil.move(kept, file)
    for facts in (gone, changed):
        assert facts["remarks"] == ["cached"]
        assert facts["student"] == before["student"]


def test_test_images_are_not_shown(finished: Finished, look: Any) -> None:
    dataset = open_dataset(finished.run.path, finished.workspace)
    image = dataset.part(SplitName.TEST)["image"].iloc[0]
    facts, target = look(image=image)
    assert facts["code"] == "R60"
    assert {file.name for file in target.iterdir()} == {"facts.json"}


def test_examples_are_validation_images_of_every_class(finished: Finished, look: Any) -> None:
    found = [look(example=number, batch=0)[0] for number in range(2)]
    assert {facts["truth"][0] for facts in found} == {"irregular", "round"}
    dataset = open_dataset(finished.run.path, finished.workspace)
    assert not (set(dataset.classes) ^ {facts["truth"][0] for facts in found})


def test_fresh_phantoms_are_new_each_time(tmp_path: Path) -> None:
    drawn = [
        _fresh_phantom(tmp_path, {"example": number, "batch": batch})
        for batch in (1, 2)
        for number in range(4)
    ]
    assert len({path.read_bytes() for path, _ in drawn}) == 8
    assert {path.suffix for path, _ in drawn} == {".png", ".dcm"}
    assert {label for _, (label,) in drawn} == {"irregular", "round"}


def test_a_teacher_that_is_gone_costs_its_opinion_alone(finished: Finished, tmp_path: Path) -> None:
    workspace = tmp_path / "copy"
    shutil.copytree(finished.workspace, workspace)
    config = workspace / "runs" / finished.run.id / "config.json"
    config.write_text(config.read_text().replace("tiny.safetensors", "moved.safetensors"))
    examiner = Examiner(workspace)
    try:
        told = examiner.answer({"do": "open", "run": finished.run.id})
        assert not told["teacher"]
        assert "C11" in told["teacher_problem"]
        question = {"do": "examine", "run": finished.run.id, "target": str(tmp_path)}
        facts = examiner.answer(question | {"path": str(next(finished.images.glob("*.png")))})
    finally:
        examiner.close()
    assert facts["teacher"] is None
    assert len(facts["student"]) == 2


def test_an_unknown_run_is_refused(examiner: Examiner) -> None:
    with pytest.raises(RunError, match="R01"):
        examiner.answer({"do": "open", "run": "20200101-000000-nothing-0000"})


def test_ten_idle_minutes_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: queue.Queue[str | None] = queue.Queue()
    lines.put("{}")
    monkeypatch.setattr("core.examine.IDLE_S", 0.01)
    assert core.examine._next(lines) == "{}"
    assert core.examine._next(lines) is None
