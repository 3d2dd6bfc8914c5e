"""Names of decoders with their versions, as the manifest records them."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version


@cache
def versioned(package: str) -> str:
    """``"Pillow 12.3.0"``; looking a version up takes a millisecond."""
    return f"{package} {version(package)}"
