"""Pre-training on tiny folders: it learns, it resumes, and its card says what it saw."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from core.errors import ConfigError, TrainingError
from core.files import read_json, sha256_file
from core.pretraining import Recipe, folder_recipe, read_recipe, run_recipe
from core.teachers.catalogue import card_hashes, find_teacher
from core.teachers.checkpoint import load_teacher
from core.teachers.pretrain_images import nt_xent
from core.teachers.pretrain_recipe import PretrainSettings
from core.types import SilentReporter, Stopped
from tests.tiny import ListReporter, write_images

RECIPES = Path(__file__).resolve().parents[2] / "assets" / "recipes"


def settings(**changes: object) -> PretrainSettings:
    facts: dict[str, object] = {
        "name": "tiny", "title": "Tiny", "train_px": 32, "image_px": 32, "epochs": 2, "batch": 12,
    }  # fmt: skip
    return PretrainSettings.model_validate(facts | changes)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return write_images(tmp_path_factory.mktemp("pretrain") / "demo")


def test_teaches_with_and_without_labels(images: Path, tmp_path: Path, workspace: Path) -> None:
    plain = tmp_path / "unlabelled"
    plain.mkdir()
    for number, file in enumerate(sorted(images.rglob("*.png"))):
        (plain / f"{number}.png").write_bytes(file.read_bytes())
    recipe = folder_recipe([images, plain], settings())
    spec = run_recipe(recipe, tmp_path, workspace, reporter := ListReporter())
    supervised = [value for name, value, _ in reporter.metrics if name == "loss/supervised"]
    assert max(supervised) > 0
    file = tmp_path / "tiny.safetensors"
    assert spec.sha256 == sha256_file(file)
    card = read_json(tmp_path / "tiny.json")
    assert [len(data["classes"]) for data in card["data"]] == [2, 0]
    found = find_teacher(str(file))
    files, looks = card_hashes(found)
    assert len(files) == len(looks) == sum(data["images"] for data in card["data"])
    assert sha256_file(plain / "0.png") in files
    assert load_teacher(found, tmp_path).map_shapes()[-1][0] == 512


def test_labels_alone_may_teach(images: Path, tmp_path: Path, workspace: Path) -> None:
    recipe = folder_recipe([images], settings(contrast=0))
    run_recipe(recipe, tmp_path, workspace, reporter := ListReporter())
    values = {name: value for name, value, _ in reporter.metrics}
    assert values["loss"] == pytest.approx(values["loss/supervised"])
    losses = read_json(tmp_path / "tiny.json")["recipe"]["losses"]
    assert losses == "cross-entropy of a head per labelled folder"
    nothing = folder_recipe([images], settings(name="idle", contrast=0, supervision=0))
    with pytest.raises(TrainingError) as caught:
        run_recipe(nothing, tmp_path, workspace, SilentReporter())
    assert caught.value.code == "T32"


def test_interrupted_it_ends_with_the_same_weights(
    images: Path, tmp_path: Path, workspace: Path
) -> None:
    recipe = folder_recipe([images], settings())
    run_recipe(recipe, tmp_path / "whole", workspace, SilentReporter())
    with pytest.raises(Stopped):  # within the second epoch; the import is not done again
        run_recipe(recipe, tmp_path / "cut", workspace, ListReporter(stop_after=4))
    torch.manual_seed(77)
    run_recipe(recipe, tmp_path / "cut", workspace, SilentReporter())
    left, right = (load_file(tmp_path / name / "tiny.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(left[key], right[key]) for key in left)
    assert not list(tmp_path.glob("cut/*.resume.pt"))


def test_made_pictures_alone_teach_and_resume(tmp_path: Path, workspace: Path) -> None:
    recipe = Recipe(settings=settings(scenes=8, steps=6, early_px=32, train_px=48))
    spec = run_recipe(recipe, tmp_path / "whole", workspace, reporter := ListReporter())
    assert {name for name, _, _ in reporter.metrics} == {
        "loss", "loss/presence", "loss/lesion", "loss/surroundings", "loss/maps",
    }  # fmt: skip
    card = read_json(tmp_path / "whole" / "tiny.json")
    assert card["data"] == []
    assert card["made_pictures"]["count"] == 48
    assert "no patient" in spec.about
    assert card_hashes(find_teacher(str(tmp_path / "whole" / "tiny.safetensors"))) == ([], [])
    with pytest.raises(Stopped):
        run_recipe(recipe, tmp_path / "cut", workspace, ListReporter(stop_after=4))
    run_recipe(recipe, tmp_path / "cut", workspace, SilentReporter())
    left, right = (load_file(tmp_path / name / "tiny.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(left[key], right[key]) for key in left)


def test_made_pictures_join_images(images: Path, tmp_path: Path, workspace: Path) -> None:
    recipe = folder_recipe([images], settings(scenes=8, train_px=48))
    spec = run_recipe(recipe, tmp_path, workspace, reporter := ListReporter())
    names = {name for name, _, _ in reporter.metrics}
    assert {"loss/contrast", "loss/supervised", "loss/lesion"} < names
    assert "made pictures" in spec.about


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(ConfigError) as caught:
        folder_recipe([], settings())
    assert caught.value.code == "C20"
    with pytest.raises(ValidationError, match="needs `scenes` and `steps`"):
        Recipe(settings=settings(scenes=8))


def test_too_few_images(images: Path, tmp_path: Path, workspace: Path) -> None:
    recipe = folder_recipe([images], settings(batch=1000))
    with pytest.raises(TrainingError) as caught:
        run_recipe(recipe, tmp_path, workspace, SilentReporter())
    assert caught.value.code == "T30"


def test_an_unfinished_teacher_of_other_images_is_not_continued(
    images: Path, tmp_path: Path, workspace: Path
) -> None:
    with pytest.raises(Stopped):
        run_recipe(
            folder_recipe([images], settings()), tmp_path, workspace, ListReporter(stop_after=43)
        )
    with pytest.raises(TrainingError) as caught:
        run_recipe(
            folder_recipe([images], settings(epochs=3)), tmp_path, workspace, SilentReporter()
        )
    assert caught.value.code == "T31"


def test_nt_xent_known_values() -> None:
    alike = torch.nn.functional.normalize(torch.ones(6, 4), dim=1)
    assert nt_xent(alike, alike).item() == pytest.approx(math.log(11), rel=1e-5)
    apart = torch.eye(6)
    expected = math.log(1 + 10 * math.exp(-1 / 0.2))
    assert nt_xent(apart, apart).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("file", sorted(RECIPES.glob("*.json")), ids=lambda file: file.stem)
def test_the_shipped_recipes_can_be_read(file: Path) -> None:
    assert read_recipe(file, Path("/data")).settings.name == file.stem


@pytest.mark.skipif(sys.platform == "win32", reason="a process there cannot be sent SIGTERM")
def test_a_command_that_is_asked_to_end_saves_first(
    images: Path, tmp_path: Path, workspace: Path
) -> None:
    command = [sys.executable, "-m", "core.cli", "pretrain", str(images), "--to", str(tmp_path)]
    command += ["--batch", "4", "--epochs", "500", "--threads", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    ) as child:
        assert child.stdout is not None
        said = next(line for line in child.stdout if "Training" in line)
        child.send_signal(signal.SIGTERM)
        said += child.stdout.read()
    assert child.returncode == 1, said
    assert "The same command goes on." in said
    saved = torch.load(tmp_path / "my-teacher.resume.pt", weights_only=True)
    assert 0 <= saved["step"] < 500
