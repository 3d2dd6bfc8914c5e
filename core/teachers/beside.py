"""Which file of a folder holds the weights, and what the files beside it say of the picture.

A folder from the hub holds the weights and small descriptions of them: transformers writes
``preprocessor_config.json``, OpenCLIP ``open_clip_config.json``, timm ``config.json``. Readable
without torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.files import read_json

WEIGHTS = (
    "model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors",
    "pytorch_model.bin", "pytorch_model.bin.index.json", "open_clip_pytorch_model.bin", "model.pt",
)  # fmt: skip
SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
DESCRIPTIONS = ("preprocessor_config.json", "open_clip_config.json", "config.json")
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Picture:
    """What a description says the network expects; what it leaves open is None.

    Attributes:
        mean: Subtracted from the picture in [0, 1].
        std: Divides the difference.
        image_px: Side of the picture.
        said_by: Name of the description, or "".
    """

    mean: Triple | None = None
    std: Triple | None = None
    image_px: int | None = None
    said_by: str = ""


def weights_file(place: Path) -> Path:
    """The file with the weights: `place` itself, or the one in that folder.

    Of weights in several parts it is their index (`core.teachers.shards`).

    Raises:
        ModelError: M20, there is none; M37, there are several and none has a usual name.
    """
    if not place.is_dir():
        return place
    found = sorted(file for file in place.iterdir() if file.suffix in SUFFIXES)
    usual = [place / name for name in WEIGHTS if (place / name).is_file()]
    if usual or len(found) == 1:
        return (usual or found)[0]
    if not found:
        raise ModelError(
            "M20", "There is no file with weights in this folder", item=place.name,
            todo=f"Its name would end in {', '.join(SUFFIXES)}.",
        )  # fmt: skip
    raise ModelError(
        "M37", f"There are {len(found)} files with weights in this folder", item=place.name,
        todo="Name one of them.",
    )  # fmt: skip


def read_beside(file: Path) -> Picture:
    """What the descriptions beside a weights file say; nothing where there is none."""
    for name in DESCRIPTIONS:
        try:
            said = read_json(file.with_name(name))
        except (OSError, ValueError):
            continue
        found = _read(said, name) if isinstance(said, dict) else Picture()
        if found.mean and found.std:
            return found
    return Picture()


def _read(said: dict[str, Any], name: str) -> Picture:
    inner = said.get("preprocess_cfg") or said.get("pretrained_cfg") or said
    size = inner.get("crop_size") or inner.get("size") or inner.get("input_size")
    return Picture(
        _triple(inner.get("image_mean") or inner.get("mean")),
        _triple(inner.get("image_std") or inner.get("std")),
        _side(size),
        name,
    )


def _triple(numbers: Any) -> Triple | None:
    if not isinstance(numbers, list) or len(numbers) not in {1, 3}:
        return None
    try:
        found = [float(number) for number in numbers] * (3 // len(numbers))
    except (TypeError, ValueError):
        return None
    return (found[0], found[1], found[2])


def _side(size: Any) -> int | None:
    """Sides are written as a number, a list (channels first) or by name."""
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge")
    if isinstance(size, list) and size:
        size = size[-1]
    return size if isinstance(size, int) and 32 <= size <= 2048 else None
