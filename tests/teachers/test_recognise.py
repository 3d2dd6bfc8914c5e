"""An unknown file: what is proposed and asked, how it is taken in; licences with conditions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from core.errors import BedsideError, ConfigError, ModelError
from core.files import read_json, write_json
from core.teachers.adopt import Answers, adopt, describe, read_answers
from core.teachers.catalogue import find_teacher, list_teachers, teachers_at_hand
from core.teachers.checkpoint import load_teacher
from core.teachers.consent import accept_licence, accepted_on, needs_consent, with_consent
from core.teachers.recognise import Proposal, recognise
from core.tensors import read_shapes
from tests.teachers import published
from tests.teachers.published import fill

RESNET = "resnet10t"
KNOWN = {"mean": [0.5] * 3, "std": [0.25] * 3, "licence": "MIT", "accepted": True}


def weights(folder: Path, state: dict[str, torch.Tensor], name: str = "mine.safetensors") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / name)
    return folder / name


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    state = timm.create_model(RESNET, num_classes=4).state_dict()
    prefixed = {f"module.encoder.{key}": tensor for key, tensor in state.items()}
    return weights(tmp_path_factory.mktemp("resnet"), prefixed)


@pytest.fixture(scope="module")
def proposal(resnet: Path, tmp_path_factory: pytest.TempPathFactory) -> Proposal:
    return recognise(resnet, tmp_path_factory.mktemp("cache"))


def code(call: Any) -> str:
    with pytest.raises(BedsideError) as caught:
        call()
    return caught.value.code


def test_a_network_of_timm_behind_any_prefix_is_found(proposal: Proposal) -> None:
    assert (proposal.format, proposal.architecture) == ("timm", RESNET)
    assert proposal.share == 1
    assert not proposal.missing
    assert {"mean", "std", "licence", "image_px"} == set(proposal.unknown)
    assert proposal.taps == (0, 1, 2, 3) or proposal.taps[-1] == 4


def test_a_vision_transformer_of_an_odd_size_is_found_and_its_heads_are_asked(
    tmp_path: Path,
) -> None:
    file = weights(tmp_path, fill(published.transformers_vit(published.SMALL, new=True)))
    found = recognise(file, tmp_path)
    assert found.format == "transformers_vit"
    assert (found.image_px, found.share) == (32, 1)
    assert found.options["embed_dim"] == 32
    assert "heads" in found.unknown
    spec = describe(found, read_answers(KNOWN | {"heads": 4}))
    assert spec.options["num_heads"] == 4


def test_what_a_file_cannot_tell_of_clip_is_its_activation(tmp_path: Path) -> None:
    file = weights(tmp_path, fill(published.clip(published.SMALL, 16)))
    found = recognise(file, tmp_path)
    assert "activation" in found.unknown
    spec = describe(found, read_answers(KNOWN | {"activation": "gelu"}))
    assert spec.options["act_layer"] == "gelu"


def test_the_description_beside_a_file_says_mean_and_std(tmp_path: Path) -> None:
    file = weights(tmp_path, fill(published.transformers_vit(published.SMALL)), "model.safetensors")
    said = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4] * 3, "size": {"height": 32}}
    write_json(tmp_path / "preprocessor_config.json", said)
    found = recognise(tmp_path, tmp_path)
    assert (found.mean, found.std) == ((0.1, 0.2, 0.3), (0.4, 0.4, 0.4))
    assert found.said_by == "preprocessor_config.json"
    assert "mean" not in found.unknown
    assert describe(found, read_answers({"licence": "MIT"})).mean == (0.1, 0.2, 0.3)
    assert file.is_file()


def test_entries_of_the_catalogue_with_the_same_network_are_named(tmp_path: Path) -> None:
    state = {key: torch.zeros(shape, dtype=torch.float16) for key, shape in published.xrv().items()}
    found = recognise(weights(tmp_path, state), tmp_path)
    assert found.format == "xrv"
    assert found.like == ("torchxrayvision-densenet",)
    spec = describe(found, read_answers({"like": "torchxrayvision-densenet"}))
    assert spec.value_range == (-1024, 1024)
    assert spec.in_chans == 1
    assert spec.licence == "Apache-2.0"


def test_names_of_no_known_network_are_refused(tmp_path: Path) -> None:
    file = weights(tmp_path, {f"body.{n}.w": torch.ones(3) for n in range(3)})
    assert code(lambda: recognise(file, tmp_path)) == "M39"


def test_shapes_are_read_without_the_numbers(resnet: Path) -> None:
    shapes = read_shapes(resnet, "x")
    assert {tensor.device.type for tensor in shapes.values()} == {"meta"}


def test_nothing_that_has_to_be_known_is_made_up(proposal: Proposal) -> None:
    with pytest.raises(ConfigError) as caught:
        describe(proposal, Answers())
    assert caught.value.code == "C43"
    assert "mean, std, licence" in caught.value.what
    assert code(lambda: describe(proposal, read_answers({"like": "nobody"}))) == "C11"
    assert code(lambda: read_answers({"heads": "many"})) == "C01"


def test_a_file_is_taken_in_with_its_card_and_used_by_its_path(
    resnet: Path, proposal: Proposal, tmp_path: Path
) -> None:
    answers = read_answers(KNOWN | {"name": "my net", "image_px": 64})
    spec = adopt(resnet, proposal, answers, tmp_path)
    assert spec.location == str(tmp_path / "my-net.safetensors")
    found = find_teacher(spec.location)
    assert (found.image_px, found.licence) == (64, "MIT")
    assert spec.location in teachers_at_hand(tmp_path).teachers
    maps = load_teacher(found, tmp_path)(torch.rand(1, 1, 64, 64))
    assert len(maps) == len(proposal.taps)
    assert read_json(tmp_path / "my-net.json")["original_sha256"] == proposal.sha256
    assert code(lambda: adopt(resnet, proposal, answers, tmp_path)) == "C44"


def test_a_licence_that_is_not_accepted_is_refused(
    resnet: Path, proposal: Proposal, tmp_path: Path
) -> None:
    answers = read_answers(KNOWN | {"licence": "CC-BY-NC-4.0", "accepted": False})
    assert code(lambda: adopt(resnet, proposal, answers, tmp_path)) == "M38"
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_file_that_changed_since_it_was_looked_at_is_refused(
    proposal: Proposal, tmp_path: Path
) -> None:
    file = weights(tmp_path, {"a": torch.ones(1)})
    assert code(lambda: adopt(file, proposal, read_answers(KNOWN), tmp_path)) == "M21"


def test_conditions_are_accepted_once_and_only_for_this_text(tmp_path: Path) -> None:
    uni = next(spec for spec in list_teachers() if spec.name == "uni")
    assert needs_consent(uni)
    with pytest.raises(ModelError) as caught:
        with_consent(uni, tmp_path)
    assert caught.value.code == "M38"
    assert "derivative" in caught.value.what
    day = accept_licence(uni, tmp_path)
    assert accept_licence(uni, tmp_path) == day == accepted_on(uni, tmp_path)
    assert with_consent(uni, tmp_path).licence_accepted == day
    changed = uni.model_copy(update={"licence_note": "Stricter."})
    assert code(lambda: with_consent(changed, tmp_path)) == "M38"


def test_free_licences_need_no_consent(tmp_path: Path) -> None:
    for spec in list_teachers():
        if spec.licence in {"MIT", "Apache-2.0"} or spec.source == "bundled":
            assert with_consent(spec, tmp_path).licence_accepted == ""
