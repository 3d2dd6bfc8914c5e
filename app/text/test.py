"""What the Test page says, as far as the server composes it."""

from __future__ import annotations

from typing import Final

LOADING: Final = "Looking for finished runs …"

CHILD_UNSTARTED: Final = "The process that looks at images could not be started"
CHILD_UNSTARTED_TODO: Final = "Close other programs or restart the computer, then try again."
CHILD_DIED: Final = "The process that looks at images ended over this one"
CHILD_DIED_TODO: Final = (
    "It is started anew for the next image. If this image ends it again, leave it out; "
    "it may be damaged."
)
CHILD_SLOW: Final = "Looking at this image took too long and was ended"

NO_EXAMINATION: Final = "This image is no longer kept"
NO_EXAMINATION_TODO: Final = (
    "Images that were looked at are forgotten when Bedside restarts. Choose the file again."
)
NO_PATH: Final = "There is no file or folder at this path"
NO_PATH_TODO: Final = "Check it for typing errors; a path copied from the file manager works best."
EMPTY_PATH: Final = "No path was given"
EMPTY_PATH_TODO: Final = "Paste the path of an image or of a folder of images."
NOT_COMPLETE: Final = "This run is not complete, so there is no student to test yet"
NOT_COMPLETE_TODO: Final = "Wait until it ends, or resume it on the Train page."
NO_VALIDATION: Final = "This run has no validation figures"
NO_VALIDATION_TODO: Final = "Resume it on the Train page; they are written at its end."
BUSY: Final = "Another folder is being classified"
BUSY_TODO: Final = "Wait until it is done, or stop it."
NO_TABLE: Final = "These predictions are no longer there"
NO_TABLE_TODO: Final = "Classify the folder again."
NO_CLASS: Final = "There is no such class"
NOT_UNDERSTOOD: Final = "The test set stays sealed"
NOT_UNDERSTOOD_TODO: Final = "Tick the sentence that says what opening it costs, then open it."
EXAMPLE: Final = "Example {number}"
VALIDATION_IMAGE: Final = "Validation image {image}"
