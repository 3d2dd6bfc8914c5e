"""Weights in several parts, as transformers publishes large models: an index and its shards.

``model.safetensors.index.json`` or ``pytorch_model.bin.index.json`` says in its ``weight_map`` in
which file beside it each tensor is. Readable without torch; `core.teachers.merging` makes one file
of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from core.errors import ModelError
from core.files import read_json, sha256_file, sha256_json

INDEX = ".index.json"
SUFFIXES = (".safetensors", ".bin")
LARGEST_INDEX = 100_000_000  # bytes, as of the header of a safetensors file
LONGEST_NAME = 200


def is_index(file: Path) -> bool:
    """Whether a file is named as the index of several parts."""
    return file.name.endswith(tuple(suffix + INDEX for suffix in SUFFIXES))


def whole_path(file: Path) -> Path:
    """The path that the weights would have in one piece; that of a whole file is its own."""
    return file.with_name(file.name.removesuffix(INDEX)) if is_index(file) else file


def read_index(index: Path) -> dict[str, list[str]]:
    """The tensors of each part.

    Args:
        index: The index; its parts lie beside it.

    Returns:
        Name of a file to names of the tensors in it, both sorted.

    Raises:
        ModelError: M20, a part is not there; M22, the index is damaged; M50, it names something
            that is no file beside it.
    """
    shards: dict[str, list[str]] = {}
    for tensor, shard in sorted(_weight_map(index).items()):
        shards.setdefault(shard, []).append(tensor)
    _require_plain(shards, index.name)
    for shard in sorted(shards):
        if not index.with_name(shard).is_file():
            raise ModelError(
                "M20", "A part of the teacher's weights is not there", item=shard,
                todo="Fetch or copy it too, and put it beside the others.",
            )  # fmt: skip
    return {shard: shards[shard] for shard in sorted(shards)}


def parts_of(file: Path) -> list[Path]:
    """All files that the weights are in: an index with its parts, or the one file.

    Raises:
        ModelError: See `read_index`.
    """
    return [file, *map(file.with_name, read_index(file))] if is_index(file) else [file]


def weights_sha256(file: Path) -> str:
    """SHA-256 of a file; of an index with its parts, of the list of their hashes.

    Raises:
        ModelError: See `read_index`.
    """
    if not is_index(file):
        return sha256_file(file)
    return sha256_json([[part.name, sha256_file(part)] for part in parts_of(file)])


def _weight_map(index: Path) -> dict[str, str]:
    """Name of each tensor to the file it is in."""
    try:
        if index.stat().st_size > LARGEST_INDEX:
            raise ValueError("too large for a list of names")
        found: dict[str, str] = read_json(index)["weight_map"]
        if {type(shard) for shard in found.values()} != {str}:
            raise ValueError("names no file")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            "M22", "The index of the weights' parts is damaged", item=index.name,
            todo="Copy or fetch it again.",
        ) from error  # fmt: skip
    return found


def _require_plain(names: Iterable[str], item: str) -> None:
    """Refuse what points elsewhere, on any system, or cannot hold weights."""
    for name in names:
        bare = PurePosixPath(name).name == name == PureWindowsPath(name).name
        if not bare or not name.endswith(SUFFIXES) or len(name) > LONGEST_NAME:
            raise ModelError(
                "M50", "The index of the weights' parts names something that is no file beside it",
                item=item, todo="Fetch it from its author; this copy was changed.",
            )  # fmt: skip
