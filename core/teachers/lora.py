"""Low-rank adapters: a teacher fitted to the user's labels by few numbers, kept beside its file.

W + (alpha / rank) B A (LoRA, Hu et al. 2021, arXiv 2106.09685), A drawn as a linear layer's weights
are, B zero, so that an untrained adapter changes nothing. In a transformer the layers of attention
get one, in a convolutional network every convolution that is not grouped, its kernel taken as a
matrix of one row for each output channel. Networks adapted by `peft` 0.21 with the same numbers
give the same features within 2e-6; `peft` itself is not used, because it brings transformers and
accelerate and takes 5 to 20 s to import, for the arithmetic of one class.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import parametrize

from core.errors import ModelError
from core.files import atomic_path, sha256_file
from core.teachers.base import Teacher
from core.teachers.catalogue import find_teacher
from core.teachers.checkpoint import load_teacher

PARTS = ("down", "up")
DAMAGED = (
    SafetensorError, OSError, ValueError, KeyError, AttributeError, RuntimeError, TypeError
)  # fmt: skip
ATTENTION = {"qkv", "q_proj", "k_proj", "v_proj", "proj"}


class LowRank(nn.Module):
    """Adds a product of two thin matrices to a layer's weights.

    Args:
        weight: The layer's, ``[out, ...]``.
        rank: Width of the thin matrices.
        scale: Multiplies their product; alpha / rank.
    """

    def __init__(self, weight: Tensor, rank: int, scale: float) -> None:
        super().__init__()
        rows, columns = len(weight), weight[0].numel()
        self.down = nn.Parameter(torch.empty(rank, columns, device=weight.device))
        self.up = nn.Parameter(torch.zeros(rows, rank, device=weight.device))
        self.scale = scale
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """The weights with the adapter."""
        return weight + self.scale * (self.up @ self.down).view_as(weight)


def adapted_layers(network: nn.Module) -> list[str]:
    """Names of the layers that get an adapter."""
    layers = {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    }
    attention = [
        name
        for name, layer in layers.items()
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in ATTENTION
    ]
    convolutions = [
        name for name, layer in layers.items() if isinstance(layer, nn.Conv2d) and layer.groups == 1
    ]
    return attention or convolutions


def with_adapter(teacher: Teacher, rank: int, alpha: float) -> Teacher:
    """A copy of a teacher with an untrained adapter, the only part of it that has a gradient.

    Raises:
        ModelError: M05, it has no layer that could be adapted.
    """
    found = copy.deepcopy(teacher)
    layers = adapted_layers(found.network)
    if not layers:
        raise ModelError(
            "M05",
            "This teacher has no layers for low-rank adapters",
            item=teacher.spec.name,
            todo="Choose a ViT or a convolutional network, or the method 'kd'.",
        )
    for name in layers:
        layer = found.network.get_submodule(name)
        weight = layer.weight
        assert isinstance(weight, Tensor)
        adapter = LowRank(weight, min(rank, *weight.flatten(1).shape), alpha / rank)
        parametrize.register_parametrization(layer, "weight", adapter)
    return found


def adapter_parameters(teacher: Teacher) -> list[nn.Parameter]:
    """What is trained of a teacher made by `with_adapter`."""
    return [parameter for parameter in teacher.parameters() if parameter.requires_grad]


def save_adapter(teacher: Teacher, file: Path) -> None:
    """Write the adapter of a teacher made by `with_adapter`, in float32."""
    tensors: dict[str, Tensor] = {}
    scale = 0.0
    for name in adapted_layers_of(teacher):
        adapter = _adapter(teacher.network.get_submodule(name))
        scale = adapter.scale
        tensors |= {f"{name}.{part}": getattr(adapter, part).detach().cpu() for part in PARTS}
    with atomic_path(file) as temporary:
        save_file(tensors, temporary, metadata={"scale": repr(scale)})


def adapted_layers_of(teacher: Teacher) -> list[str]:
    """Names of the layers that have an adapter."""
    return [
        name
        for name, layer in teacher.network.named_modules()
        if parametrize.is_parametrized(layer, "weight")
    ]


def merged(teacher: Teacher, file: Path) -> Teacher:
    """A copy of a teacher with a saved adapter in its weights; its `spec` says which.

    Raises:
        ModelError: M06, the adapter is damaged or belongs to another teacher.
    """
    found = copy.deepcopy(teacher)
    try:
        with safe_open(file, "pt") as opened, torch.no_grad():
            scale = float(opened.metadata()["scale"])
            for name in sorted({key.rpartition(".")[0] for key in opened.keys()}):  # noqa: SIM118
                down, up = (opened.get_tensor(f"{name}.{part}") for part in PARTS)
                weight = found.network.get_submodule(name).weight
                assert isinstance(weight, Tensor)
                weight += scale * (up @ down).view_as(weight).to(weight.device)
    except DAMAGED as error:
        raise ModelError(
            "M06",
            "The adapter that this run trained for its teacher is damaged or of another teacher",
            item=file.name,
            todo="Start the run again.",
        ) from error
    found.spec = teacher.spec.model_copy(update={"adapter": sha256_file(file)})
    return found


def teacher_of_run(name: str, cache: Path, adapter: Path) -> Teacher:
    """The teacher as a run had it.

    Args:
        name: As the run's configuration calls it.
        cache: Where teachers' files are kept.
        adapter: The run's adapter; need not exist.

    Raises:
        ModelError: See `load_teacher` and `merged`.
    """
    teacher = load_teacher(find_teacher(name), cache)
    return merged(teacher, adapter) if adapter.exists() else teacher


def _adapter(layer: nn.Module) -> LowRank:
    found = layer.parametrizations["weight"][0]  # type: ignore[index]
    assert isinstance(found, LowRank)
    return found
