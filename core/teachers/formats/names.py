"""Rules that every format shares: where a network's own names begin, and joined projections."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import torch

from core.teachers.formats.base import State

BETTER = ("teacher", "ema")  # of two networks in one file, the averaged one
Rule = tuple[str, str]


def strip(state: State, names: Collection[str]) -> State:
    """The tensors behind the prefix under which most of `names` stand, without it.

    So ``module.``, ``backbone.``, ``_orig_mod.model.encoder.`` or ``visual.trunk.`` need no list:
    what wraps a network is whatever stands in front of its names. Where none of them stands
    anywhere, the state is returned as it is.

    Args:
        state: Tensors of a file.
        names: Names that the network is known to have.
    """
    found: Counter[str] = Counter()
    for key in state:
        for start in _starts(key):
            if key[start:] in names:
                found[key[:start]] += 1
    if not found:
        return dict(state)
    prefix = max(found, key=lambda text: (found[text], any(w in text for w in BETTER), -len(text)))
    return {
        key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)
    }


def rename(state: State, rules: Sequence[Rule]) -> State:
    """Apply every rule (regular expression, replacement) in order to every name."""
    renamed = {}
    for key, tensor in state.items():
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        renamed[key] = tensor
    return renamed


def join(state: State, parts: Sequence[str], whole: str) -> State:
    """Stack tensors that the network holds as one.

    Args:
        state: Tensors; left as it is.
        parts: Ends of the names of the parts without ``weight`` or ``bias``, in order, such as
            ``("attn.q.", "attn.k.", "attn.v.")``.
        whole: The end of the joined name, such as ``"attn.qkv."``.
    """
    joined = dict(state)
    first = parts[0]
    for key in state:
        start, found, kind = key.rpartition(first)
        if not found or "." in kind:
            continue
        pieces = [joined.pop(f"{start}{part}{kind}", None) for part in parts]
        present = [piece for piece in pieces if piece is not None]
        if len(present) == len(parts):
            joined[f"{start}{whole}{kind}"] = torch.cat(present)
    return joined


def _starts(key: str) -> Iterator[int]:
    """Where a name may begin in `key`: at its own beginning and after every dot."""
    yield 0
    for found in re.finditer(r"\.", key):
        yield found.end()
