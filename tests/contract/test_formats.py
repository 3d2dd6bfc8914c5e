"""What every checkpoint format promises, whichever file it is in."""

from __future__ import annotations

import pytest
import timm
import torch

from core.teachers.catalogue import list_teachers
from core.teachers.formats.base import FORMATS
from tests.teachers.published import REAL, SMALL, fill, meta, timm_vit


@pytest.mark.parametrize("name", FORMATS.names())
def test_gives_tensors_named_as_the_network_names_them(name: str) -> None:
    network = timm.create_model("resnet10t", num_classes=0)
    state = dict(network.state_dict())
    converted = FORMATS.get(name).convert(dict(state), network)
    assert all(isinstance(tensor, torch.Tensor) for tensor in converted.values())
    if name == "timm":  # its own names: nothing may be lost
        assert converted.keys() == state.keys()


@pytest.mark.parametrize("name", FORMATS.names())
def test_loads_nothing_itself(name: str) -> None:
    network = timm.create_model("resnet10t", num_classes=0)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    other = timm.create_model("resnet10t", num_classes=0).state_dict()
    FORMATS.get(name).convert(dict(other), network)
    assert all(torch.equal(network.state_dict()[key], before[key]) for key in before)


@pytest.mark.parametrize("name", FORMATS.names())
def test_leaves_what_it_is_given_as_it_is(name: str) -> None:
    real = next(real for real in REAL.values() if real.format == name)
    state = meta(real.shapes())
    before = dict(state)
    fmt = FORMATS.get(name)
    assert fmt.recognises(state)
    fmt.guess(state)
    assert state.keys() == before.keys()
    assert all(state[key] is before[key] for key in before)


@pytest.mark.parametrize("name", FORMATS.names())
def test_says_no_to_names_it_does_not_know(name: str) -> None:
    fmt = FORMATS.get(name)
    assert fmt.title
    assert not fmt.recognises({})
    assert not fmt.recognises({f"body.{n}.w": torch.zeros(3) for n in range(5)})


def test_only_one_format_claims_a_plain_vision_transformer() -> None:
    state = fill(timm_vit(SMALL))
    claims = [name for name in FORMATS.names() if FORMATS.get(name).recognises(state)]
    assert claims == ["timm"]


def test_every_teacher_names_a_format_that_exists() -> None:
    assert {spec.format for spec in list_teachers()} <= set(FORMATS.names())
