"""The export: files that agree, that say honestly what they are, and that give nothing away."""

from __future__ import annotations

import getpass
import platform
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
from safetensors.torch import load_file

from core.errors import ExportError, ModelError
from core.files import read_json, sha256_file
from core.inference import export as exporting
from core.inference.card import WEIGHTS_FILE, ModelCard, read_card
from core.inference.export import export_student, freeze_thresholds
from core.inference.predictor import OnnxPredictor, Predictor
from core.students.base import build_student
from core.teachers.checkpoint import refuse_student
from core.types import Task
from tests.inference.conftest import Exported
from tests.inference.samples import SIDE, card_for, lesions

FILES = {"README.txt", "model.json", "model.onnx", "model.safetensors", "parity.json"}


def test_the_files_are_there_and_agree(exported: Exported) -> None:
    assert {file.name for file in exported.folder.iterdir()} == FILES
    assert [file.name for file in exported.folder.parent.iterdir()] == ["export"]
    assert exported.result.agrees
    assert exported.result.max_difference < 1e-4
    assert read_json(exported.folder / "parity.json")["max_difference"] < 1e-4
    for name, sha256 in read_card(exported.folder).files.items():
        assert sha256_file(exported.folder / name) == sha256


def test_the_three_answers_differ_between_pictures_but_not_between_files(
    exported: Exported,
) -> None:
    images, _, _ = lesions(40, seed=7)
    with torch.no_grad():
        wanted = exported.student(images).softmax(1).numpy()
    assert wanted[:, 1].std() > 0.05
    for backend in (Predictor, OnnxPredictor):
        found = backend.open(exported.folder).probabilities(images)
        assert np.abs(found - wanted).max() < 1e-4


def test_the_onnx_file_alone_is_enough(exported: Exported) -> None:
    session = onnxruntime.InferenceSession(exported.folder / "model.onnx")
    images, _, _ = lesions(3, seed=8)
    for count in (1, 3):
        logits, scores = session.run(None, {"image": images[:count].numpy()})
        assert logits.shape == scores.shape == (count, 2)
        np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["notice"] == "Research use only. Not for diagnosis."
    assert facts["classes"] == '["benign", "malignant"]'


def test_the_weights_work_as_the_readme_says(exported: Exported) -> None:
    card = read_card(exported.folder)
    network = timm.create_model(card.architecture, pretrained=False, **card.options)
    network.load_state_dict(load_file(exported.folder / "model.safetensors"))
    images, _, _ = lesions(4, seed=8)
    mean, std = (torch.tensor(values)[:, None, None] for values in (card.mean, card.std))
    with torch.no_grad():
        scores = network.eval()((images.repeat(1, 3, 1, 1) - mean) / std).softmax(1).numpy()
    found = Predictor.open(exported.folder).probabilities(images)
    np.testing.assert_allclose(scores, found, atol=1e-5)


def test_nothing_of_this_machine_is_inside(exported: Exported) -> None:
    names = [getpass.getuser(), platform.node()]
    secrets = [str(Path.cwd()), "site-packages", str(Path.home()) + "/"]
    secrets += [name for name in names if len(name) > 5]  # shorter ones occur by chance
    for file in exported.folder.iterdir():
        content = file.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content], file.name
    graph = onnx.load(exported.folder / "model.onnx").graph
    assert not any(node.metadata_props for node in graph.node)


def test_the_readme_is_honest_and_complete(exported: Exported) -> None:
    text = (exported.folder / "README.txt").read_text(encoding="utf-8")
    words = " ".join(text.split())
    for needed in (
        "NOT FOR DIAGNOSIS", "SYNTHETIC", "Tiny teacher", "CC-BY-4.0", "Name the authors.",
        "Accepted on 2026-11-28.",
        "benign", "malignant: found from 0.4000 on", "MONOCHROME1", f"[N, 1, {SIDE}, {SIDE}]",
        "softmax", "BILINEAR", read_card(exported.folder).files["model.onnx"],
    ):  # fmt: skip
        assert needed in words, needed


def test_the_file_says_that_it_is_a_student_and_is_no_teacher(exported: Exported) -> None:
    with pytest.raises(ModelError, match="M32"):
        refuse_student(exported.folder / WEIGHTS_FILE, "x")


def test_findings_and_colour_are_exported_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    student = build_student("vit_tiny", 2, SIDE).train()
    torch.nn.init.normal_(student.head.classifier[-1].weight)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    card = card_for("vit_tiny", task=Task.MULTILABEL, channels=3, teacher=None, thresholds={})
    folder = tmp_path / "export"
    export_student(student, card, folder, torch.rand(3, 3, 80, 80))
    assert student.training
    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
    grey = torch.rand(2, 1, 80, 80)
    for backend in (Predictor, OnnxPredictor):
        classifier = backend.open(folder)
        scores = classifier.probabilities(grey)
        np.testing.assert_allclose(
            scores, classifier.probabilities(grey.repeat(1, 3, 1, 1)), atol=1e-6
        )
        assert not np.allclose(scores.sum(1), 1, atol=1e-3)
    text = (folder / "README.txt").read_text(encoding="utf-8")
    assert "no threshold" in text
    assert "sigmoid" in text
    assert "without a teacher" in " ".join(text.split())


def test_thresholds_are_frozen_into_card_and_readme(folder: Path) -> None:
    freeze_thresholds(folder, {"benign": 0.25})
    assert read_card(folder).thresholds == {"benign": 0.25}
    assert "benign: found from 0.2500 on" in (folder / "README.txt").read_text(encoding="utf-8")
    assert Predictor.open(folder).card.thresholds == {"benign": 0.25}
    with pytest.raises(ValueError, match="unknown"):
        freeze_thresholds(folder, {"unheard of": 0.5})


def test_files_that_disagree_are_not_handed_over(
    exported: Exported, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_another(student: object, card: ModelCard, file: Path) -> None:
        other = build_student("resnet10t", 2, SIDE)
        torch.nn.init.normal_(other.head[-1].weight)
        exporting_write(other, card, file)

    exporting_write = exporting.write_onnx
    monkeypatch.setattr(exporting, "write_onnx", write_another)
    before = {file.name: sha256_file(file) for file in folder.iterdir()}
    images, _, _ = lesions(2, seed=1)
    with pytest.raises(ExportError) as caught:
        export_student(exported.student, card_for("resnet10t"), folder, images)
    assert caught.value.code == "X01"
    assert {file.name: sha256_file(file) for file in folder.iterdir()} == before


def test_an_export_without_a_picture_or_with_a_wrong_card_is_refused(
    exported: Exported, tmp_path: Path
) -> None:
    images, _, _ = lesions(2, seed=1)
    with pytest.raises(ExportError) as nothing:
        export_student(exported.student, card_for("resnet10t"), tmp_path / "a", images[:0])
    assert nothing.value.code == "X02"
    with pytest.raises(ExportError) as wrong:
        export_student(
            exported.student,
            card_for("resnet10t", mean=(0.5, 0.5, 0.5)),
            tmp_path / "b",
            images,
        )
    assert wrong.value.code == "X03"


def test_weights_that_are_not_finite_are_not_exported(tmp_path: Path) -> None:
    student = build_student("mobilenetv3_small_050", 2, SIDE)
    torch.nn.init.constant_(student.head[-1].bias, float("nan"))
    card = card_for("mobilenetv3_small_050")
    with pytest.raises(ExportError) as caught:
        export_student(student, card, tmp_path / "export", torch.rand(1, 1, 64, 64))
    assert caught.value.code == "X04"
    assert not (tmp_path / "export").exists()
