"""What the Models page says; the sentences that only the browser composes stand in its scripts."""

from __future__ import annotations

from typing import Final

RUN_IS_LIVE: Final = "A training uses the computer, so the times would come out too long"
RUN_IS_LIVE_TODO: Final = "Measure when it is over."
OTHER_PROJECT: Final = "Another project has been opened in another window"
OTHER_PROJECT_TODO: Final = "Reload this page; nothing has been changed."
TOO_LARGE: Final = "Pictures of {side} px are too large; {largest} px is the most"
NO_PATH: Final = "This is not the whole path of a file"
NO_PATH_TODO: Final = (
    "Write it from its beginning, such as /home/me/teacher.safetensors or "
    "D:\\models\\teacher.safetensors."
)
NO_FILE: Final = "There is no such file"
NO_FILE_TODO: Final = "Check the path, and that the drive is connected."
NOT_PROBED: Final = "This teacher has not been compared on these images"
NOT_PROBED_TODO: Final = "Press Compare the teachers first."
COMPUTER_IS_BUSY: Final = "A training or a measurement uses the computer"
COMPUTER_IS_BUSY_TODO: Final = "Compare the teachers when it is over, or stop it."
NO_IMAGES: Final = "The images of this project have not been read"
NO_IMAGES_TODO: Final = "Read them on Data."
DROPPED_TOO_LARGE: Final = "What was dropped is larger than 8 GB"
DROPPED_TOO_LARGE_TODO: Final = "Type its path instead: then nothing is copied twice."
