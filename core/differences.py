"""What differs between two configurations."""

from __future__ import annotations

import json
from typing import Any

from core.config import PATHS, RunConfig


def config_differences(before: RunConfig, after: RunConfig) -> list[str]:
    """Settings that differ, as ``"train.epochs: 30 became 40"``; of a path only its name."""
    return [
        key if key in PATHS else f"{key}: {left} became {right}"
        for key, left, right in differing_settings(before, after)
    ]


def differing_settings(before: RunConfig, after: RunConfig) -> list[tuple[str, Any, Any]]:
    """Settings that differ: dotted name, value before, value after."""
    left, right = (_flatten(json.loads(config.to_json())) for config in (before, after))
    return [
        (key, left.get(key), right.get(key))
        for key in sorted(left | right)
        if left.get(key) != right.get(key)
    ]


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= (
            _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return flat
