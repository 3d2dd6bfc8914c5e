"""Opening exported models: what is good works, what is spoilt is refused with its own sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import ModelError
from core.files import sha256_file
from core.inference.predictor import OnnxPredictor, Predictor
from tests.inference.conftest import Exported
from tests.inference.samples import lesions

BACKENDS = [Predictor, OnnxPredictor]


def rewrite_card(folder: Path, **changes: Any) -> None:
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    (folder / "model.json").write_text(json.dumps(facts | changes), encoding="utf-8")


def vouch(folder: Path) -> None:
    """Enter the hashes of the files as they are now: an attacker can do that, too."""
    rewrite_card(
        folder,
        files={name: sha256_file(folder / name) for name in ("model.onnx", "model.safetensors")},
    )


def spoil_weights(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]):
    def spoil(folder: Path) -> None:
        file = folder / "model.safetensors"
        save_file(change(load_file(file)), file)
        vouch(folder)

    return spoil


def spoil_bytes(name: str, change: Callable[[bytes], bytes], *, known: bool = True):
    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(change((folder / name).read_bytes()))
        if known:
            vouch(folder)

    return spoil


def with_nan(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    state["fc.bias"][0] = float("nan")
    return state


def flip(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


SPOILT = {
    "no card": ("M40", lambda folder: (folder / "model.json").unlink()),
    "no weights": ("M40", lambda folder: (folder / "model.safetensors").unlink()),
    "card is no JSON": ("M41", lambda folder: (folder / "model.json").write_bytes(b"\xff{")),
    "newer card": ("M41", lambda folder: rewrite_card(folder, format_version=2)),
    "unknown field": ("M41", lambda folder: rewrite_card(folder, surprise=1)),
    "huge picture": ("M41", lambda folder: rewrite_card(folder, image_px=10**6)),
    "huge card": ("M41", lambda folder: (folder / "model.json").write_bytes(b" " * 5_000_000)),
    "one bit": ("M42", spoil_bytes("model.safetensors", flip, known=False)),
    "truncated": ("M43", spoil_bytes("model.safetensors", lambda content: content[:-64])),
    "empty": ("M43", spoil_bytes("model.safetensors", lambda content: b"")),
    "header of 2^63": (
        "M43",
        spoil_bytes("model.safetensors", lambda content: (2**63).to_bytes(8, "little") + content),
    ),
    "a pickle": ("M43", spoil_bytes("model.safetensors", lambda content: b"\x80\x04N.")),
    "nothing matches": ("M44", spoil_weights(lambda state: {"x": torch.zeros(1)})),
    "a key missing": (
        "M44",
        spoil_weights(lambda state: {k: v for k, v in state.items() if k != "fc.bias"}),
    ),
    "another shape": ("M44", spoil_weights(lambda state: state | {"fc.bias": torch.zeros(9)})),
    "another type": (
        "M44",
        spoil_weights(lambda state: state | {"fc.bias": torch.zeros(2).long()}),
    ),
    "not finite": ("M45", spoil_weights(with_nan)),
    "unknown student": ("M47", lambda folder: rewrite_card(folder, student="../../evil")),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_spoilt_model_is_refused(case: str, folder: Path) -> None:
    code, spoil = SPOILT[case]
    spoil(folder)
    with pytest.raises(ModelError) as caught:
        Predictor.open(folder)
    assert caught.value.code == code
    assert caught.value.todo
    assert str(folder) not in caught.value.sentence


def test_a_spoilt_onnx_file_is_refused(folder: Path) -> None:
    file = folder / "model.onnx"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ModelError) as changed:
        OnnxPredictor.open(folder)
    assert changed.value.code == "M42"
    vouch(folder)
    with pytest.raises(ModelError) as damaged:
        OnnxPredictor.open(folder)
    assert damaged.value.code == "M48"
    assert str(folder) not in damaged.value.sentence


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_size_is_resized_as_in_training(exported: Exported, backend: type[Predictor]) -> None:
    from core.data.augment import clean_view

    classifier = backend.open(exported.folder)
    large = torch.rand(3, 1, 150, 150)
    scores = classifier.probabilities(large)
    assert scores.shape == (3, 2)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, classifier.probabilities(clean_view(large, 64)))
    assert classifier.probabilities(large[:0]).shape == (0, 2)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "images",
    [
        torch.rand(1, 3, 64, 64),  # colours for a grey model
        torch.rand(1, 2, 64, 64),
        torch.rand(1, 1, 64, 60),
        torch.rand(1, 64, 64),
        torch.rand(1, 1, 64, 64) * 255,
        torch.full((1, 1, 64, 64), float("nan")),
        torch.zeros(1, 1, 64, 64, dtype=torch.uint8),
    ],
)
def test_pictures_of_another_kind_are_refused(
    exported: Exported, backend: type[Predictor], images: torch.Tensor
) -> None:
    with pytest.raises(ModelError) as caught:
        backend.open(exported.folder).probabilities(images)
    assert caught.value.code == "M46"


def test_opening_a_model_changes_no_later_draw(exported: Exported) -> None:
    torch.manual_seed(1)
    wanted = torch.rand(1)
    torch.manual_seed(1)
    Predictor.open(exported.folder)
    assert torch.equal(torch.rand(1), wanted)


def test_the_answer_does_not_depend_on_the_company(exported: Exported) -> None:
    images, _, _ = lesions(40, seed=3)
    classifier = Predictor.open(exported.folder)
    alone = np.concatenate([classifier.probabilities(image[None]) for image in images])
    np.testing.assert_allclose(classifier.probabilities(images), alone, atol=1e-6)
