"""Whole networks in torch files: their tensors are taken, their code is neither run nor needed.

``torch.save(model)`` writes the names of classes and the content of every layer. Each class of a
known library is replaced by a `StandIn` that keeps what it is given; the tensors are then collected
as `state_dict` would have named them. Since 2020 the file is a zip archive, which
`torch.load(weights_only=True)` reads with stand-ins; before that it was a row of pickles, and for
whole networks in those torch has no safe reader, so there is one here. (torchxrayvision's published
files are whole networks.)
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

LIBRARIES = ("torch.nn.modules.", "torchvision.models.", "torchxrayvision.", "timm.")
MAGIC = 0x1950A86A20F9469CFC6C  # of the older files
PROTOCOL = 1001
STORAGES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}  # fmt: skip


class StandIn:
    """Stands for a layer or a network; keeps its attributes."""

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


def is_layer(name: str) -> bool:
    """Whether a class of this full name is one of a library of networks."""
    return name.startswith(LIBRARIES)


def tensors_of(module: StandIn, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a network by the names that `state_dict` gives them."""
    found: dict[str, Tensor] = {}
    for kind in ("_parameters", "_buffers"):
        values = module.__dict__.get(kind)
        if isinstance(values, dict):
            found |= {f"{prefix}{k}": v for k, v in values.items() if isinstance(v, Tensor)}
    inner = module.__dict__.get("_modules")
    for name, child in inner.items() if isinstance(inner, dict) else ():
        if isinstance(child, StandIn):
            found |= tensors_of(child, f"{prefix}{name}.")
    return found


def read_older(file: Path) -> Any:
    """What an older torch file holds, layers as `StandIn`; reads nothing but pickles and numbers.

    Raises:
        pickle.UnpicklingError: It names something that is no tensor and no layer.
        ValueError, EOFError, KeyError: It is no such file, or damaged.
    """
    with file.open("rb") as source:
        head = [_Reader(source).load() for _ in range(3)]  # magic, protocol, the computer's facts
        if head[:2] != [MAGIC, PROTOCOL]:
            raise ValueError("no torch file")
        reader = _Reader(source)
        loaded = reader.load()
        for key in _Reader(source).load():
            reader.fill(key, source)
        return loaded


class _Reader(pickle.Unpickler):
    """Makes tensors, stand-ins and plain values; refuses every other name."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__(source)
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full in PLAIN:
            return PLAIN[full]
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if is_layer(full):
            return StandIn
        raise pickle.UnpicklingError(f"{full} is neither a tensor nor a layer")

    def persistent_load(self, identity: Any) -> Any:
        if identity[0] == "module":  # a class, with its source code, which nobody looks at
            return identity[1]
        _, kind, key, _, count, *view = identity
        if view and view[0] is not None:
            raise pickle.UnpicklingError("a view of a storage")
        if key not in self._storages:
            self._storages[key] = torch.zeros(int(count), dtype=kind)
        return self._storages[key]

    def fill(self, key: str, source: BinaryIO) -> None:
        """Read the numbers of one storage, in place: tensors have been made of it already."""
        target = self._storages[key]
        count = int.from_bytes(source.read(8), "little")
        if count != len(target):
            raise ValueError("another length")
        content = source.read(target.nbytes)
        if len(content) != target.nbytes:
            raise EOFError("cut off")
        target.copy_(torch.frombuffer(bytearray(content), dtype=target.dtype))


def _view(storage: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    return torch.as_strided(storage, tuple(size), tuple(stride), int(offset))


def _first(value: Any, *_: Any) -> Any:
    return value


PLAIN = {
    "collections.OrderedDict": OrderedDict,
    "__builtin__.set": set,
    "torch._utils._rebuild_tensor_v2": _view,
    "torch._utils._rebuild_parameter": _first,
}
