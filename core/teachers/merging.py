"""One safetensors file of weights that were published in several parts.

Tensors are copied byte by byte, one at a time, so that merging takes no more memory than the
largest of them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.files import atomic_path, require_free
from core.teachers.shards import parts_of, read_index
from core.tensors import BITS, check_header, plain_file


@dataclass(frozen=True)
class Piece:
    """One tensor in one of the parts.

    Attributes:
        name: Of the tensor.
        facts: Its ``dtype`` and ``shape``, as the header says them.
        file: The part, as safetensors.
        start: Byte of the file at which the tensor begins.
        length: Its bytes.
    """

    name: str
    facts: dict[str, Any]
    file: Path
    start: int
    length: int


def merged_file(index: Path, target: Path) -> Path:
    """The parts that an index names as one safetensors file, made once.

    Args:
        index: Of the parts.
        target: Where the file is put, and looked for; as in `core.tensors.plain_file` its name
            changes with the content.

    Raises:
        ModelError: See `core.teachers.shards.read_index` and `core.tensors`; M51, a part lacks
            tensors that the index says are in it.
        SystemError_: The disk has no room for it.
    """
    if target.is_file():
        return target
    sizes = {part: part.stat().st_size for part in parts_of(index)}
    anew = sum(size for part, size in sizes.items() if part.suffix != ".safetensors")
    require_free(target.parent, sum(sizes.values()) + anew, "The teacher in one piece")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        _write(list(_pieces(index, Path(scratch))), target)
    return target


def _pieces(index: Path, scratch: Path) -> Iterator[Piece]:
    """Every tensor that the index names."""
    for shard, names in read_index(index).items():
        plain = plain_file(index.with_name(shard), scratch / f"{shard}.safetensors", shard)
        header, _ = check_header(plain, shard)
        lacking = sorted(set(names) - header.keys())
        if lacking:
            raise ModelError(
                "M51",
                f"A part of the weights lacks {len(lacking)} of its {len(names)} tensors, "
                f"such as {lacking[0]}",
                item=shard,
                todo="Fetch all parts and their index again, from the same place.",
            )
        with plain.open("rb") as opened:
            begin = 8 + int.from_bytes(opened.read(8), "little")
        for name in names:
            start, stop = header[name]["data_offsets"]
            yield Piece(name, header[name], plain, begin + start, stop - start)


def _write(pieces: Sequence[Piece], target: Path) -> None:
    """Write a header and the tensors, wide numbers first so that each begins where it may."""
    ordered = sorted(pieces, key=lambda piece: (-BITS[piece.facts["dtype"]], piece.name))
    header: dict[str, Any] = {}
    end = 0
    for piece in ordered:
        header[piece.name] = piece.facts | {"data_offsets": [end, end + piece.length]}
        end += piece.length
    text = json.dumps(header).encode("utf-8")
    text += b" " * (-len(text) % 8)
    with atomic_path(target) as draft, draft.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for piece in ordered:
            with piece.file.open("rb") as source:
                source.seek(piece.start)
                out.write(source.read(piece.length))
