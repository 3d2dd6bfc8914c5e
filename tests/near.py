"""All near-duplicates at once, for sets small enough to write the answer down."""

from __future__ import annotations

from collections.abc import Sequence

from core.data.near import NEAR_BITS, near_blocks


def near_duplicates(hashes: Sequence[str], bits: int = NEAR_BITS) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of places in `hashes`, sorted."""
    return sorted((int(i), int(j)) for block in near_blocks(hashes, bits) for i, j in block)
