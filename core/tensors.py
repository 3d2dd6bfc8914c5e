"""Files of named tensors, read without running anything in them."""

from __future__ import annotations

import functools
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from core.errors import ModelError
from core.unpickling import convert_file

LARGEST_HEADER = 100_000_000  # bytes, the format's own limit
BITS = {"F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "BF16": 16, "F16": 16,
        "I16": 16, "U16": 16, "BOOL": 8, "I8": 8, "U8": 8}  # fmt: skip
AGAIN = "Copy or fetch it again."


def at_least_float32(tensor: Tensor) -> Tensor:
    """The same values, in float32 where they were in a shorter type; float64 stays float64."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def shrink_map(features: Tensor, grid: tuple[int, int]) -> Tensor:
    """Average a map into fewer cells, each by the area that it covers.

    The mean over all cells stays what it was. `adaptive_avg_pool2d` has overlapping cells where the
    sizes do not divide: from 5 to 4 the middle counts twice, and a probe fitted to such means errs
    on plain ones (brain MRI, 60 images: AUROC .87 instead of .90).

    Args:
        features: ``[B, C, h, w]``.
        grid: Height and width wanted, at most h and w.
    """
    cell, rest = zip(*map(divmod, features.shape[-2:], grid), strict=True)
    if not any(rest):  # whole places in every cell: the same, much faster
        return F.avg_pool2d(features, cell)
    rows, columns = (
        torch.tensor(_areas(size, cells), dtype=features.dtype, device=features.device)
        for size, cells in zip(features.shape[-2:], grid, strict=True)
    )
    return rows @ features @ columns.T


@functools.lru_cache(maxsize=64)
def _areas(size: int, cells: int) -> tuple[tuple[float, ...], ...]:
    """How much of each of `cells` equal cells lies in each of `size` places; rows sum to 1."""
    width = size / cells
    return tuple(
        tuple(
            max(0.0, min((cell + 1) * width, place + 1) - max(cell * width, place)) / width
            for place in range(size)
        )
        for cell in range(cells)
    )


def read_tensors(file: Path, item: str) -> dict[str, Tensor]:
    """Read safetensors, or a torch file through a child; wrappers are undone.

    Args:
        file: ``.safetensors``, or ``.pt``/``.pth``/``.bin``/``.ckpt``.
        item: Whose file it is, for messages.

    Raises:
        ModelError: The file cannot be used; see `plain_file` and `check_header`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        plain = plain_file(file, Path(scratch) / "plain.safetensors", item)
        check_header(plain, item)
        try:
            return load_file(plain)
        except (safetensors.SafetensorError, OSError, ValueError, RuntimeError) as error:
            raise ModelError("M22", "The file is damaged", item=item, todo=AGAIN) from error


def plain_file(file: Path, target: Path, item: str) -> Path:
    """The file as safetensors: itself if it is one, whatever its name, or what a child made of it.

    Args:
        file: Of a user or from the hub.
        target: Where a converted copy is put, and looked for; its name is the caller's to choose so
            that it changes with the content.
        item: Whose file it is, for messages.

    Raises:
        ModelError: M22, it is damaged; M28, it holds more than plain tensors; M29, it takes more
            memory or time than is allowed.
    """
    if file.suffix == ".safetensors" or _is_safetensors(file):
        return file
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        convert_file(file, target, item)
    return target


def read_shapes(file: Path, item: str) -> dict[str, Tensor]:
    """Names, shapes and types of a safetensors file as tensors of the meta device; reads no number.

    Raises:
        ModelError: See `check_header`.
    """
    header, _ = check_header(file, item)
    kinds = {"F64": torch.float64, "F16": torch.float16, "BF16": torch.bfloat16}
    return {
        name: torch.empty(
            facts["shape"], device="meta", dtype=kinds.get(facts["dtype"], torch.float32)
        )
        for name, facts in header.items()
    }


def check_header(file: Path, item: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The header of a safetensors file, if it can be true.

    The library refuses such files too, in one sentence for all; here each gets its own.

    Returns:
        Name to ``dtype``, ``shape`` and ``data_offsets``; and what the writer noted.

    Raises:
        ModelError: M22, it is cut off or damaged; M35, its header claims an impossible length; M36,
            its tensors overlap or have other sizes than their shapes.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > LARGEST_HEADER:
            raise ModelError(
                "M35", f"The file's header claims to be {length:.2g} bytes long", item=item,
                todo="It is no safetensors file, or was made to do harm.",
            )  # fmt: skip
        if size < 8 or size < 8 + length:
            raise _cut_off(item, size, 8 + length)
        text = opened.read(length)
    try:
        header = json.loads(text)
        noted = header.pop("__metadata__", {})
        spans = sorted(
            (*facts["data_offsets"], BITS[facts["dtype"]] * math.prod(facts["shape"]) // 8)
            for facts in header.values()
        )
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ModelError("M22", "The file's header is damaged", item=item, todo=AGAIN) from error
    end = 0
    for start, stop, needed in spans:
        if start != end or stop - start != needed:
            raise ModelError(
                "M36", "Tensors in the file overlap or are not of the size of their shapes",
                item=item, todo="Fetch it from its author; this copy was changed.",
            )  # fmt: skip
        end = stop
    if size - 8 - length < end:
        raise _cut_off(item, size, 8 + length + end)
    return header, noted


def _is_safetensors(file: Path) -> bool:
    """Whether a file begins like safetensors; MedImageInsight's does, and is called .pt."""
    with file.open("rb") as opened:
        length, brace = int.from_bytes(opened.read(8), "little"), opened.read(1)
    return length <= LARGEST_HEADER and brace == b"{"


def _cut_off(item: str, there: int, needed: int) -> ModelError:
    return ModelError(
        "M22",
        f"The file is cut off: {there:,} of {needed:,} bytes are there",
        item=item,
        todo=AGAIN,
    )
