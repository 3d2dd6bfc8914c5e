"""The site key, and the one-way names it gives to patients and files.

A plain hash of a hospital number can be reversed by trying every number; one keyed with a secret
that never leaves the workspace cannot (`reference/reliability.md` b).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import time
from pathlib import Path

from core.errors import SystemError_

KEY_BYTES = 32
SHOWN = 16  # hexadecimal digits kept of each keyed hash: 64 bits


def site_key(workspace: Path) -> bytes:
    """The secret of this workspace, made on first use and readable by its owner alone.

    Args:
        workspace: Folder that holds ``site.key``.

    Raises:
        SystemError_: The file is there but does not hold a key.
    """
    path = workspace / "site.key"
    with contextlib.suppress(FileExistsError):
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_bytes(KEY_BYTES))
            opened.flush()
            os.fsync(opened.fileno())
    for _ in range(20):  # another process may be between making and filling the file
        key = path.read_bytes()
        if len(key) == KEY_BYTES:
            return key
        time.sleep(0.05)
    raise SystemError_(
        "E04",
        "The site key is damaged",
        item="site.key",
        todo="Restore it from a backup, or delete it and import the images again.",
    )


def random_key() -> bytes:
    """A key for one use, where patients need not be recognised again (prediction)."""
    return secrets.token_bytes(KEY_BYTES)


def keyed_hash(key: bytes, kind: str, text: str) -> str:
    """HMAC-SHA256 of `text` under `key`, 16 hexadecimal digits.

    Args:
        key: The site key.
        kind: What `text` is (``"patient"``, ``"image"``), so that equal texts of two kinds differ.
        text: A patient's number or a file's place. It cannot be recovered from the result.
    """
    return hmac.new(key, f"{kind}\0{text}".encode(), hashlib.sha256).hexdigest()[:SHOWN]
