"""Weights in several parts, as transformers publishes them: found, checked, merged, taken in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from core.errors import BedsideError
from core.files import read_json, write_json
from core.teachers.adopt import adopt, read_answers
from core.teachers.catalogue import find_teacher
from core.teachers.checkpoint import load_teacher
from core.teachers.merging import merged_file
from core.teachers.recognise import recognise
from core.teachers.shards import weights_sha256
from core.teachers.spec import TeacherSpec, teacher_file

RESNET = "resnet10t"
INDEX = "model.safetensors.index.json"
TORCH_INDEX = "pytorch_model.bin.index.json"
KNOWN = {"mean": [0.5] * 3, "std": [0.25] * 3, "licence": "MIT", "accepted": True, "image_px": 64}
State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(5)
    return dict(timm.create_model(RESNET, num_classes=0).state_dict())


def shard_name(index: str, number: int) -> str:
    stem, suffix = index.removesuffix(".index.json").rsplit(".", 1)
    return f"{stem}-{number:05d}-of-00002.{suffix}"


def published(folder: Path, state: State, index: str = INDEX) -> Path:
    """A folder as `save_pretrained` leaves it: every other tensor in the second part."""
    folder.mkdir(parents=True, exist_ok=True)
    weight_map = {name: shard_name(index, 1 + n % 2) for n, name in enumerate(state)}
    for file in sorted(set(weight_map.values())):
        part = {name: state[name] for name, where in weight_map.items() if where == file}
        if file.endswith(".bin"):
            torch.save(part, folder / file)
        else:
            save_file(part, folder / file, metadata={"format": "pt"})
    write_json(folder / index, {"metadata": {"total_size": 1}, "weight_map": weight_map})
    return folder


def rewritten(folder: Path, change: Callable[[dict[str, str]], Any]) -> Path:
    """The folder with another weight_map."""
    said = read_json(folder / INDEX)
    change(said["weight_map"])
    write_json(folder / INDEX, said)
    return folder


def refusal(call: Callable[[], Any]) -> BedsideError:
    with pytest.raises(BedsideError) as caught:
        call()
    return caught.value


def described(folder: Path) -> TeacherSpec:
    """The teacher of that folder, with a card of the user's."""
    spec = TeacherSpec.model_validate(
        {
            "name": "tiny", "title": "Tiny", "architecture": RESNET, "source": "file",
            "location": "x", "image_px": 64, "mean": (0.5,) * 3, "std": (0.25,) * 3,
            "taps": (1, 2, 3, 4), "licence": "MIT", "licence_note": "Free.",
        }
    )  # fmt: skip
    write_json(folder / "model.json", {"spec": spec.model_dump(mode="json")})
    return find_teacher(str(folder))


@pytest.mark.parametrize("index", [INDEX, TORCH_INDEX])
@pytest.mark.parametrize("named", ["folder", "index"])
def test_parts_are_recognised_and_taken_in(
    tmp_path: Path, state: State, index: str, named: str
) -> None:
    folder, cache = published(tmp_path / "big", state, index), tmp_path / "cache"
    place = folder if named == "folder" else folder / index
    proposal = recognise(place, cache)
    assert (proposal.file, proposal.architecture, proposal.share) == (index, RESNET, 1)
    spec = adopt(place, proposal, read_answers(KNOWN), cache)
    assert Path(spec.location).name == index.split(".")[0] + ".safetensors"
    loaded = load_teacher(find_teacher(spec.location), cache).network.state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def test_parts_are_merged_once_into_what_the_library_reads(tmp_path: Path) -> None:
    """Numbers of all widths: each tensor begins where its kind of number may."""
    state = {
        "a": torch.tensor([True]), "b": torch.arange(3, dtype=torch.float64),
        "c": torch.ones(3, dtype=torch.float16), "d": torch.arange(5, dtype=torch.int64),
        "e": torch.ones(1, dtype=torch.uint8), "f": torch.rand(2, 3), "g": torch.tensor(3),
        "h": torch.zeros(0), "i": torch.ones(3, dtype=torch.bfloat16),
    }  # fmt: skip
    folder = published(tmp_path / "big", state)
    target = merged_file(folder / INDEX, tmp_path / "plain" / "one.safetensors")
    found = load_file(target)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())
    assert all(found[name].dtype == tensor.dtype for name, tensor in state.items())
    assert list(target.parent.iterdir()) == [target]
    written = target.stat().st_mtime_ns
    assert merged_file(folder / INDEX, target).stat().st_mtime_ns == written


def test_a_part_that_changed_is_noticed(tmp_path: Path, state: State) -> None:
    folder, cache = published(tmp_path / "big", state), tmp_path / "cache"
    spec = described(folder)
    assert spec.location == str(folder / INDEX)
    load_teacher(spec, cache)
    assert [file.stem for file in (cache / "plain").iterdir()] == [spec.sha256]
    proposal = recognise(folder, cache)
    changed = {name: tensor + 1 for name, tensor in state.items()}
    published(folder, changed)
    assert refusal(lambda: load_teacher(spec, cache)).code == "M21"
    assert refusal(lambda: adopt(folder, proposal, read_answers(KNOWN), cache)).code == "M21"
    anew = find_teacher(str(folder))
    assert anew.sha256 == weights_sha256(folder / INDEX) != spec.sha256
    loaded = load_teacher(anew, cache).network.state_dict()
    assert torch.equal(loaded["conv1.0.weight"], changed["conv1.0.weight"])


def test_a_missing_part_is_named(tmp_path: Path, state: State) -> None:
    folder, cache = published(tmp_path / "big", state), tmp_path / "cache"
    spec = described(folder)
    (folder / shard_name(INDEX, 2)).unlink()
    for call in (
        lambda: recognise(folder, cache),
        lambda: find_teacher(str(folder)),
        lambda: teacher_file(spec, cache),
    ):
        error = refusal(call)
        assert (error.code, error.item) == ("M20", "model-00002-of-00002.safetensors")


def test_a_part_without_its_tensors_is_named(tmp_path: Path, state: State) -> None:
    folder = published(tmp_path / "big", state)
    rewritten(folder, lambda names: names.update(extra=shard_name(INDEX, 1)))
    error = refusal(lambda: recognise(folder, tmp_path / "cache"))
    assert (error.code, error.item) == ("M51", "model-00001-of-00002.safetensors")
    assert "extra" in error.what
    assert not list((tmp_path / "cache" / "plain").iterdir())


@pytest.mark.parametrize(
    "name",
    ["../x.safetensors", "/x.safetensors", "a/x.safetensors", "..\\x.safetensors",
     "C:x.safetensors", "", "..", INDEX, "x" * 300 + ".safetensors"],
)  # fmt: skip
def test_an_index_that_points_elsewhere_is_refused(tmp_path: Path, state: State, name: str) -> None:
    """Even where there is such a file."""
    folder = published(tmp_path / "big", state)
    save_file({"stem": torch.ones(1)}, tmp_path / "x.safetensors")
    rewritten(folder, lambda names: names.update(stem=name))
    assert refusal(lambda: recognise(folder, tmp_path / "cache")).code == "M50"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"a": 1}}',
     '{"weight_map": {"a": ["x.bin"]}}', "[" * 200_000],
)  # fmt: skip
def test_a_damaged_index_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / INDEX).write_text(text, encoding="utf-8")
    assert refusal(lambda: recognise(tmp_path, tmp_path / "cache")).code == "M22"


@pytest.mark.parametrize("index", [INDEX, TORCH_INDEX])
def test_a_damaged_part_is_named(tmp_path: Path, state: State, index: str) -> None:
    folder = published(tmp_path / "big", state, index)
    part = folder / shard_name(index, 1)
    part.write_bytes(part.read_bytes()[:-1000])
    error = refusal(lambda: recognise(folder, tmp_path / "cache"))
    assert (error.code, error.item) == ("M22", part.name)


def test_a_whole_file_beside_the_parts_is_taken(tmp_path: Path, state: State) -> None:
    folder = published(tmp_path, state, TORCH_INDEX)
    (folder / "tf_model.h5.index.json").write_text(json.dumps({"weight_map": {}}))
    assert recognise(folder, tmp_path / "cache").file == TORCH_INDEX
    save_file(state, folder / "model.safetensors")
    assert recognise(folder, tmp_path / "cache").file == "model.safetensors"
