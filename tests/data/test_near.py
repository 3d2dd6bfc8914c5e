"""Pairs and clusters of hashes that differ in few bits, against comparing everything."""

from __future__ import annotations

import numpy as np
import pytest

from core.data import near
from core.data.checks import join
from core.data.near import near_blocks, near_clusters, resembles
from tests.near import near_duplicates

RANDOM = np.random.default_rng(0)


def flipped(raw: bytes, bits: int) -> bytes:
    values = np.unpackbits(np.frombuffer(raw, np.uint8))
    values[RANDOM.choice(256, bits, replace=False)] ^= 1
    return np.packbits(values).tobytes()


@pytest.fixture
def hashes() -> list[str]:
    """Random ones, chains of near ones, equal ones, and those that can match nothing."""
    raw = [RANDOM.bytes(32) for _ in range(200)]
    for place in range(0, 60, 3):
        raw.append(flipped(raw[place], int(RANDOM.integers(20, 31))))
        raw.append(flipped(raw[-1], 20))
    raw += [raw[5], raw[5], raw[7], raw[200], raw[200]]
    order = RANDOM.permutation(len(raw))
    return ["", "0" * 64, *(raw[place].hex() for place in order), "0" * 64]


def all_pairs(hashes: list[str], bits: int) -> list[tuple[int, int]]:
    values = [int(text, 16) if text else 0 for text in hashes]
    return [
        (i, j)
        for i in range(len(values))
        for j in range(i + 1, len(values))
        if values[i] and values[j] and (values[i] ^ values[j]).bit_count() <= bits
    ]


@pytest.mark.parametrize("bits", [0, 5, 25, 40])
@pytest.mark.parametrize(("banded", "block"), [(False, 1), (True, 1_000_000), (True, 7)])
def test_every_pair_is_found_once(
    hashes: list[str], bits: int, banded: bool, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "BLOCK", block)
    if banded:
        monkeypatch.setattr(near, "ALL_PAIRS", 0)
    wanted = all_pairs(hashes, bits)
    assert len(wanted) > 6
    assert near_duplicates(hashes, bits) == wanted
    assert near_clusters(hashes, bits) == join(len(hashes), wanted)


def test_nothing_resembles_nothing() -> None:
    assert near_duplicates(["", "0" * 64, "0" * 64]) == []
    assert near_clusters(["", "0" * 64]) == [0, 1]
    assert near_clusters([]) == []
    assert resembles(["f" * 64], []).tolist() == [False]
    assert resembles([], ["f" * 64]).tolist() == []


def test_what_resembles_a_list(hashes: list[str]) -> None:
    own, known = hashes[:150], hashes[150:]
    wanted = {i for i, j in all_pairs(hashes, 25) if i < 150 <= j}
    assert set(np.flatnonzero(resembles(own, known)).tolist()) == wanted
    assert wanted


def test_many_alike_need_little_memory() -> None:
    """A million pairs pass by in blocks; only the clusters are kept."""
    base = RANDOM.bytes(32)
    texts = [flipped(base, 5).hex() for _ in range(1100)]
    sizes = [len(block) for block in near_blocks(texts)]
    assert sum(sizes) == 1100 * 1099 // 2
    assert max(sizes) <= near.BLOCK + len(texts)
    assert set(near_clusters(texts)) == {0}
