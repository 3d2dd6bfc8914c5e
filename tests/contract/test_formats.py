"""What every checkpoint format promises, whichever file it is in."""

from __future__ import annotations

import pytest
import timm
import torch

from core.teachers.catalogue import list_teachers
from core.teachers.formats.base import FORMATS


@pytest.mark.parametrize("name", FORMATS.names())
def test_gives_tensors_named_as_the_network_names_them(name: str) -> None:
    network = timm.create_model("resnet10t", num_classes=0)
    state = dict(network.state_dict())
    converted = FORMATS.get(name)(dict(state), network)
    assert all(isinstance(tensor, torch.Tensor) for tensor in converted.values())
    if name == "timm":  # its own names: nothing may be lost
        assert converted.keys() == state.keys()


@pytest.mark.parametrize("name", FORMATS.names())
def test_loads_nothing_itself(name: str) -> None:
    network = timm.create_model("resnet10t", num_classes=0)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    other = timm.create_model("resnet10t", num_classes=0).state_dict()
    FORMATS.get(name)(dict(other), network)
    assert all(torch.equal(network.state_dict()[key], before[key]) for key in before)


def test_every_teacher_names_a_format_that_exists() -> None:
    assert {spec.format for spec in list_teachers()} <= set(FORMATS.names())


def test_every_catalogue_entry_can_be_built_on_the_meta_device() -> None:
    for spec in list_teachers():
        with torch.device("meta"):
            network = timm.create_model(spec.architecture, num_classes=0, **spec.options)
        assert hasattr(network, "forward_intermediates"), spec.name
