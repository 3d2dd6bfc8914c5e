"""Teacher files: what is read, what is refused, and with which sentence."""

from __future__ import annotations

import argparse
import json
import pickle
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from core.errors import ModelError
from core.files import sha256_file, write_json
from core.teachers.catalogue import find_teacher
from core.teachers.checkpoint import load_teacher
from core.teachers.fetch import fetch_from_hub
from core.teachers.spec import TeacherSpec

ARCHITECTURE = "resnet10t"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    return dict(timm.create_model(ARCHITECTURE, num_classes=7).state_dict())


def spec_for(file: Path, **changes: object) -> TeacherSpec:
    facts: dict[str, object] = {
        "name": "tiny", "title": "Tiny", "architecture": ARCHITECTURE, "source": "file",
        "location": str(file), "image_px": 64, "mean": (0.5,) * 3, "std": (0.25,) * 3,
        "taps": (1, 2, 3, 4), "licence": "Apache-2.0", "licence_note": "Free.",
    }  # fmt: skip
    return TeacherSpec.model_validate(facts | changes)


def saved(folder: Path, state: dict[str, torch.Tensor], name: str = "t.safetensors") -> Path:
    file = folder / name
    if name.endswith(".safetensors"):
        save_file(state, file)
    else:
        torch.save(state, file)
    return file


def test_loads_its_weights_frozen_and_in_evaluation_mode(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    file = saved(tmp_path, state)
    teacher = load_teacher(spec_for(file, sha256=sha256_file(file)), tmp_path)
    assert torch.equal(teacher.network.get_parameter("conv1.0.weight"), state["conv1.0.weight"])
    assert not any(p.requires_grad for p in teacher.parameters())
    assert not teacher.train().training
    maps = teacher(torch.rand(2, 1, 64, 64))
    assert [tuple(found.shape[1:]) for found in maps] == teacher.map_shapes()
    assert maps[-1].shape == (2, 512, 2, 2)


def test_normalises_as_its_card_says(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    file = saved(tmp_path, state)
    image = torch.rand(1, 1, 64, 64)
    plain = load_teacher(spec_for(file, mean=(0.0,) * 3, std=(1.0,) * 3), tmp_path)
    shifted = load_teacher(spec_for(file, mean=(0.3,) * 3, std=(0.5,) * 3), tmp_path)
    torch.testing.assert_close(plain((image - 0.3) / 0.5)[-1], shifted(image)[-1])


@pytest.mark.parametrize("prefix", ["module.", "module.backbone.", "_orig_mod."])
def test_wrappers_and_prefixes_are_undone(
    tmp_path: Path, state: dict[str, torch.Tensor], prefix: str
) -> None:
    file = saved(tmp_path, {prefix + key: value for key, value in state.items()})
    teacher = load_teacher(spec_for(file), tmp_path)
    assert torch.equal(teacher.network.get_parameter("conv1.0.weight"), state["conv1.0.weight"])


def refusal(spec: TeacherSpec, cache: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_teacher(spec, cache)
    return caught.value


def test_missing_file(tmp_path: Path) -> None:
    """Case 57."""
    assert refusal(spec_for(tmp_path / "no.safetensors"), tmp_path).code == "M20"


def test_another_file_than_described(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    """Case 57."""
    assert refusal(spec_for(saved(tmp_path, state), sha256="0" * 64), tmp_path).code == "M21"


@pytest.mark.parametrize("name", ["t.safetensors", "t.pth"])
def test_truncated(tmp_path: Path, state: dict[str, torch.Tensor], name: str) -> None:
    """Cases 57 and 67: a file that ends too early, with its own sentence for safetensors."""
    file = saved(tmp_path, state, name)
    file.write_bytes(file.read_bytes()[:-1000])
    error = refusal(spec_for(file), tmp_path)
    assert error.code == "M22"
    assert "cut off" in error.what or name.endswith(".pth")


def test_safetensors_under_another_name_is_read_as_what_it_is(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    """As MedImageInsight's file, which ends in .pt."""
    file = saved(tmp_path, state).rename(tmp_path / "t.pt")
    assert load_teacher(spec_for(file), tmp_path).map_shapes()
    assert not (tmp_path / "plain").exists()
    file.write_bytes(file.read_bytes()[:-1000])
    assert "cut off" in refusal(spec_for(file), tmp_path).what


@pytest.mark.parametrize("zipped", [True, False])
def test_a_whole_network_gives_its_tensors_and_runs_nothing(tmp_path: Path, zipped: bool) -> None:
    """As torchxrayvision publishes its own; before 2020 such a file was no zip archive."""
    torch.manual_seed(4)
    network = timm.create_model(ARCHITECTURE, num_classes=3)
    file = tmp_path / "whole.pt"
    torch.save({"model": network}, file, _use_new_zipfile_serialization=zipped)
    loaded = load_teacher(spec_for(file), tmp_path).network.state_dict()
    expected = network.state_dict()
    assert loaded.keys() == {key for key in expected if not key.startswith("fc.")}
    assert all(torch.equal(tensor, expected[key]) for key, tensor in loaded.items())
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    assert refusal(spec_for(file), tmp_path).code in {"M22", "M28"}


class Trap(nn.ReLU):
    """Its class is no library's."""


@pytest.mark.parametrize("zipped", [True, False])
def test_a_network_of_unknown_classes_is_refused(tmp_path: Path, zipped: bool) -> None:
    file = tmp_path / "whole.pt"
    network = nn.Sequential(nn.Linear(2, 2), Trap())
    torch.save(network, file, _use_new_zipfile_serialization=zipped)
    assert refusal(spec_for(file), tmp_path).code == "M28"


@pytest.mark.parametrize("zipped", [True, False])
def test_a_hostile_value_inside_a_network_is_not_run(tmp_path: Path, zipped: bool) -> None:
    """Case 66."""
    network, marker = nn.Sequential(nn.Linear(2, 2)), tmp_path / "ran"
    network.__dict__["extra"] = Hostile(marker)
    file = tmp_path / "whole.pt"
    torch.save(network, file, _use_new_zipfile_serialization=zipped)
    assert refusal(spec_for(file), tmp_path).code == "M28"
    assert not marker.exists()


class Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("forced", [False, True])
def test_hostile_pickle_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forced: bool
) -> None:
    """Case 66: a pickle that runs something is refused, whatever the environment says."""
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    marker, file = tmp_path / "ran", tmp_path / "t.pt"
    torch.save({"state_dict": Hostile(marker)}, file)
    error = refusal(spec_for(file), tmp_path)
    assert error.code == "M28"
    assert "more than plain tensors" in error.what
    if forced:
        file.write_bytes(pickle.dumps(Hostile(marker)))
        assert refusal(spec_for(file), tmp_path).code in {"M22", "M28"}
    assert not marker.exists()
    assert not list((tmp_path / "plain").glob("*"))


def test_compressed_archive_is_refused(tmp_path: Path) -> None:
    """Case 66: what may expand without limit is not opened."""
    file = tmp_path / "t.pt"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.pkl", b"0" * 100_000)
    error = refusal(spec_for(file), tmp_path)
    assert error.code == "M29"
    assert "compressed" in error.what


def test_settings_beside_the_tensors_do_no_harm(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    """What MAE, RETFound and EVA-X save with their tensors is passed over, and nothing is made."""
    file = tmp_path / "t.pth"
    beside = {"args": argparse.Namespace(lr=1e-3), "best": np.float64(0.5), "epoch": 3}
    torch.save({"model": state, "place": Path("/x"), **beside}, file)
    teacher = load_teacher(spec_for(file), tmp_path)
    assert torch.equal(teacher.network.get_parameter("conv1.0.weight"), state["conv1.0.weight"])
    (copy,) = (tmp_path / "plain").glob("*")
    assert copy.name == f"{sha256_file(file)}.safetensors"
    written = copy.stat().st_mtime_ns
    load_teacher(spec_for(file), tmp_path)
    assert copy.stat().st_mtime_ns == written  # opened in a child once, then never again


def rewritten(file: Path, change: Callable[[dict[str, Any]], None], length: int = 0) -> Path:
    """The file with another header; its numbers stay."""
    content = file.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    change(header)
    text = json.dumps(header).encode()
    file.write_bytes((length or len(text)).to_bytes(8, "little") + text + content[end:])
    return file


def test_every_fault_of_a_safetensors_file_has_its_own_sentence(tmp_path: Path) -> None:
    """Case 67: overlapping, header of 2^63, other shapes, no matching key, not finite."""
    state = {"a": torch.ones(4), "b": torch.ones(2, 2)}

    def overlap(header: dict[str, Any]) -> None:
        header["b"]["data_offsets"] = header["a"]["data_offsets"]

    def resize(header: dict[str, Any]) -> None:
        header["a"]["shape"] = [3]

    def garble(header: dict[str, Any]) -> None:
        header["a"] = 3

    faults = {
        "M36": (overlap, 0), "M35": (lambda _: None, 2**63), "M22": (garble, 0),
    }  # fmt: skip
    for code, (change, length) in faults.items():
        file = rewritten(saved(tmp_path, state), change, length)
        assert refusal(spec_for(file), tmp_path).code == code
    file = rewritten(saved(tmp_path, state), resize)
    assert "size of their shapes" in refusal(spec_for(file), tmp_path).what


def test_a_larger_model_of_the_same_names_is_refused_with_the_shapes(tmp_path: Path) -> None:
    """Cases 57 and 67: wrong shapes, named with both shapes."""
    larger = timm.create_model(ARCHITECTURE).state_dict()
    wide = {key: torch.cat([value] * 2) if value.ndim else value for key, value in larger.items()}
    error = refusal(spec_for(saved(tmp_path, wide)), tmp_path)
    assert error.code == "M31"
    assert "(file (" in error.what
    assert "network (" in error.what


def test_a_students_file_is_no_teacher(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    file = tmp_path / "model.safetensors"
    save_file(state, file, metadata={"bedside": "student"})
    assert refusal(spec_for(file), tmp_path).code == "M32"
    write_json(file.with_suffix(".json"), {"format_version": 1, "student": "resnet18"})
    with pytest.raises(ModelError) as caught:
        find_teacher(str(file))
    assert caught.value.code == "M32"


def test_a_folder_of_the_hub_is_a_teacher_too(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    """Its files are links to ones without an ending."""
    folder = tmp_path / "snapshot"
    folder.mkdir()
    blob = saved(tmp_path, state).rename(tmp_path / "blob")
    (folder / "model.safetensors").symlink_to(blob)
    facts = spec_for(blob).model_dump(mode="json")
    write_json(folder / "model.json", {"spec": facts})
    assert load_teacher(find_teacher(str(folder)), tmp_path).map_shapes()
    saved(folder, state, "other.safetensors")
    (folder / "model.safetensors").rename(folder / "one.safetensors")
    with pytest.raises(ModelError) as caught:
        find_teacher(str(folder))
    assert caught.value.code == "M37"


def test_names_that_do_not_match_are_never_ignored(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    """Cases 57 and 67: the trap of `strict=False`, which fills nothing and says nothing."""
    renamed = {f"body.{number}.w": tensor for number, tensor in enumerate(state.values())}
    error = refusal(spec_for(saved(tmp_path, renamed)), tmp_path)
    assert error.code == "M23"
    assert "0%" in error.what
    assert "unexpected: body." in error.what


def test_not_finite(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    """Cases 57 and 67: numbers that are not finite."""
    broken = dict(state)
    broken["conv1.0.weight"] = torch.full_like(broken["conv1.0.weight"], torch.nan)
    assert refusal(spec_for(saved(tmp_path, broken)), tmp_path).code == "M24"


def test_unknown_architecture(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    spec = spec_for(saved(tmp_path, state), architecture="resnet_of_dreams")
    assert refusal(spec, tmp_path).code == "M01"


@pytest.fixture
def hub(tmp_path: Path, state: dict[str, torch.Tensor]) -> Iterator[str]:
    """A loopback server that answers as the hub does for one small file."""
    files = {
        "model.safetensors": saved(tmp_path, state, "hub.safetensors").read_bytes(),
        "preprocessor_config.json": b'{"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4]}',
    }

    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            found = re.fullmatch(r"/some/net/resolve/main/(.+)", self.path)
            if not found or found[1] not in files:
                self.send_error(404)
                return
            content = files[found[1]]
            self.send_response(200)
            self.send_header("ETag", f'"{len(content)}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_hub_teacher_is_fetched_once_then_loads_offline(
    tmp_path: Path, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_for(
        tmp_path, source="hub", location="some/net:model.safetensors",
        described_by="preprocessor_config.json",
    )  # fmt: skip
    cache = tmp_path / "cache"
    error = refusal(spec, cache)
    assert error.code == "M20"
    assert "launch.py fetch tiny" in error.todo
    monkeypatch.setenv("HF_ENDPOINT", hub)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(name, "1")  # the app's own settings; only the child lifts them
    fetch_from_hub(spec, cache)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    teacher = load_teacher(spec, cache)
    assert teacher.map_shapes()
    assert teacher.spec.mean == (0.1, 0.2, 0.3)  # as the description says, not as remembered


def test_a_hub_without_network_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    spec = spec_for(tmp_path, source="hub", location="some/net:model.safetensors")
    with pytest.raises(ModelError) as caught:
        fetch_from_hub(spec, tmp_path)
    assert caught.value.code == "M25"
