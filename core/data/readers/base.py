"""What a reader of one image format is. A new format is one new file in this package."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from core.config import PixelSettings
from core.data.picture import Raster
from core.registry import Registry

HEAD_BYTES = 264  # enough of a file's beginning for every reader to recognise its format


class Reader(Protocol):
    """Decodes one family of image files. Runs inside a decoding child, never in the app.

    Attributes:
        suffixes: Usual endings of file names, lower case with the dot.
        damaged: Code and sentence for a file whose decoding fails unexpectedly.
    """

    suffixes: tuple[str, ...]
    damaged: tuple[str, str]

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins with `head` (up to `HEAD_BYTES` bytes) is of this format."""

    def read(self, content: bytes, settings: PixelSettings, temporary: Path) -> Raster:
        """Decode a whole file.

        Args:
            content: The file's bytes.
            settings: The user's window, where one was chosen.
            temporary: A private folder for a decoder that needs a file; emptied by the reader.

        Raises:
            DataError: The file cannot be used, with a code and a sentence without its content.
        """


READERS: Registry[Reader] = Registry("image format", "core.data.readers")


def reader_for(head: bytes) -> Reader | None:
    """The reader that recognises a file by its first bytes, or None; names are not trusted."""
    readers = (READERS.get(name) for name in READERS.names())
    return next((reader for reader in readers if reader.recognises(head)), None)


def image_suffixes() -> frozenset[str]:
    """Endings that promise an image: a file that breaks the promise is listed, not passed over."""
    return frozenset(end for name in READERS.names() for end in READERS.get(name).suffixes)
