"""What a reader of one image format is. A new format is one new file in this package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from core.config import PixelSettings
from core.data.picture import Failure, Raster
from core.registry import Registry

HEAD_BYTES = 1024  # enough of a file's beginning for every reader to recognise its format


class Reader(Protocol):
    """Decodes one family of image files. Runs inside a decoding child, never in the app.

    Attributes:
        suffixes: Usual endings of file names, lower case with the dot.
        damaged: Code and sentence for a file whose decoding fails unexpectedly.
        labelled: Whether its files may carry labels of their own.
    """

    suffixes: tuple[str, ...]
    damaged: tuple[str, str]
    labelled: bool

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins with `head` (up to `HEAD_BYTES` bytes) is of this format."""

    def read(
        self, content: bytes, settings: PixelSettings, temporary: Path
    ) -> Iterator[Raster | Failure]:
        """Decode a whole file, picture by picture; nothing is decoded before it is asked for.

        Args:
            content: The file's bytes.
            settings: Which frames, and the user's window where one was chosen.
            temporary: A private folder for a decoder that needs a file; emptied by the reader.

        Yields:
            Its pictures in the order of `Place.frame`, and a failure for each that is damaged. At
            least one of either.

        Raises:
            DataError: The file cannot be used, with a code and a sentence without its content.
        """

    def tag(self, content: bytes, name: str) -> str:
        """The text of a header field the user chose as the label; ``""`` without such fields."""


READERS: Registry[Reader] = Registry("image format", "core.data.readers")


def reader_for(head: bytes) -> Reader | None:
    """The reader that recognises a file by its first bytes, or None; names are not trusted."""
    readers = (READERS.get(name) for name in READERS.names())
    return next((reader for reader in readers if reader.recognises(head)), None)


def image_suffixes() -> frozenset[str]:
    """Endings that promise an image: a file that breaks the promise is listed, not passed over."""
    return frozenset(end for name in READERS.names() for end in READERS.get(name).suffixes)
