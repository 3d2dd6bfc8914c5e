"""Starting weights: timm's and Bedside's names, other grids, and files that must be refused."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from core.errors import ConfigError, ModelError
from core.students.base import build_student
from core.students.weights import load_initial_weights

NAME = "mobilenetv3_small_050"


def timm_state(architecture: str = NAME) -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    state = timm.create_model(architecture, pretrained=False, num_classes=7).state_dict()
    return {key: value.contiguous() for key, value in state.items()}


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_published_weights_arrive_and_the_classifier_stays(
    tmp_path: Path, prefix: str, suffix: str
) -> None:
    state = {f"{prefix}{key}": value for key, value in timm_state().items()}
    file = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": state}, file)
    else:
        save_file(state, file)
    student = build_student(NAME, 2, 64)
    classifier = student.head[-1].weight.clone()
    found = load_initial_weights(student, file)
    assert found.matched == 1
    assert set(found.fresh) == {"head.6.weight", "head.6.bias"}
    assert torch.equal(student.timm_state()["conv_stem.weight"], state[f"{prefix}conv_stem.weight"])
    assert torch.equal(student.head[-1].weight, classifier)


def test_a_bedside_export_can_be_started_from(tmp_path: Path) -> None:
    other = build_student(NAME, 5, 64)
    save_file(other.timm_state(), tmp_path / "model.safetensors")
    student = build_student(NAME, 5, 64)
    assert load_initial_weights(student, tmp_path / "model.safetensors").matched == 1
    assert torch.equal(student.stages[1][0].conv_pw.weight, other.stages[1][0].conv_pw.weight)


def test_position_embeddings_follow_the_grid(tmp_path: Path) -> None:
    state = timm_state("vit_tiny_patch16_224")  # 14 x 14 places and a class token
    ramp = torch.linspace(0, 1, 14)[None, :].expand(14, 14).reshape(1, 196, 1).expand(1, 196, 192)
    state["pos_embed"] = torch.cat([torch.full((1, 1, 192), 9.0), ramp], dim=1)
    save_file(state, tmp_path / "vit.safetensors")
    student = build_student("vit_tiny", 2, 96)
    found = load_initial_weights(student, tmp_path / "vit.safetensors")
    assert found.matched == 1
    places = student.timm_state()["pos_embed"].reshape(6, 6, 192)
    assert places.min() > -0.1  # nothing of the class token's 9 has leaked in
    assert places.max() < 1.1
    assert (places[:, 1:] > places[:, :-1]).all()


@pytest.mark.parametrize(
    ("code", "spoil"),
    [
        ("M30", lambda file: file.unlink()),
        ("M22", lambda file: file.write_bytes(file.read_bytes()[:-100])),
        ("M35", lambda file: file.write_bytes((2**62).to_bytes(8, "little") + b"{}")),
        ("M33", lambda file: save_file({"x": torch.zeros(3)}, file)),
        ("M33", lambda file: save_file(timm_state("mobilenetv3_small_100"), file)),
        ("M34", lambda file: save_file(_with_nan(), file)),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, code: str, spoil) -> None:
    file = tmp_path / "secret-name.safetensors"
    save_file(timm_state(), file)
    spoil(file)
    student = build_student(NAME, 2, 64)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    with pytest.raises(ModelError) as caught:
        load_initial_weights(student, file)
    assert caught.value.code == code
    assert "secret" not in caught.value.sentence
    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())


def _with_nan() -> dict[str, torch.Tensor]:
    state = timm_state()
    state["conv_stem.weight"][0, 0, 0, 0] = float("nan")
    return state


class _Attack:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("plain", [True, False])
def test_a_file_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain: bool
) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    file, marker = tmp_path / "attack.pth", tmp_path / "marker"
    if plain:
        file.write_bytes(pickle.dumps(_Attack(marker)))
    else:
        torch.save({"weights": _Attack(marker)}, file)
    with pytest.raises(ModelError) as caught:
        load_initial_weights(build_student(NAME, 2, 64), file)
    assert caught.value.code == "M28"
    assert not marker.exists()


def test_a_compressed_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bomb.pth"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"0" * 10_000)
    with pytest.raises(ModelError) as caught:
        load_initial_weights(build_student(NAME, 2, 64), file)
    assert caught.value.code == "M29"


@pytest.mark.parametrize(("name", "side"), [("vit_tiny", 100), ("resnet18", 16)])
def test_a_side_that_does_not_suit_is_refused_with_one_that_does(name: str, side: int) -> None:
    with pytest.raises(ConfigError) as caught:
        build_student(name, 2, side)
    assert caught.value.code == "C30"
    advised = int(caught.value.todo.split()[1])
    build_student(name, 2, advised)


def test_an_unknown_student_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        build_student("resnet9000", 2, 64)
    assert "resnet18" in caught.value.todo
