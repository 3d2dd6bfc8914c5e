"""What is said about files that were dropped on a page."""

from __future__ import annotations

from typing import Final

COPYING: Final = "Copying these files"
USE_PATH: Final = (
    "Paste the path of their folder instead: then the files are read where they are, and nothing "
    "is copied."
)
TOO_MANY: Final = "These are more files than can be dropped at once (at most {most:,}, 64 GB)"
NOTHING: Final = "There is no file in what was dropped"
NOTHING_TODO: Final = "Choose a folder that holds images."
BATCH_TOO_LARGE: Final = "More than 64 MB were sent at once"
MORE_THAN_SAID: Final = "More files arrived than were announced"
MISSING: Final = "Only {found:,} of {files:,} files arrived whole"
BROKEN: Final = "What the browser sent cannot be understood"
NAME: Final = "A file of this name cannot be kept"
NAME_TODO: Final = "Rename it, or paste the path of its folder instead."
NOT_KEPT: Final = "A file could not be written ({reason})"
GONE: Final = "These dropped files are no longer there"
DROP_AGAIN: Final = "Drop them again."
AGAIN: Final = "Drop the files again. If it happens twice, paste the path of their folder."
