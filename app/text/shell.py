"""What stands on every page."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

NAME: Final = "Bedside"
NOTICE: Final = "Research use. Not for diagnosis."
OFFLINE: Final = "Nothing leaves this computer"
DEVICE: Final = f"CPU, {os.cpu_count()} cores"
NO_PROJECT: Final = "No images yet"
THEME: Final = "Light or dark"
HELP: Final = "Help"
CLOSE: Final = "Close"
SKIP: Final = "Skip to the page"


class Step(NamedTuple):
    """One page of the rail."""

    key: str
    path: str
    title: str
    summary: str
    lead: str


STEPS: Final = (
    Step("data", "/", "Data", "Choose and check images",
         "Point Bedside at a folder on this computer. Files are read where they are; "
         "nothing is changed, and nothing is sent anywhere."),
    Step("models", "/models", "Models", "Teacher and student",
         "A large frozen network, the teacher, passes on what it knows to a small one, the "
         "student, which is what you will use."),
    Step("train", "/train", "Train", "Run and watch",
         "Training goes on by itself. You may close this page or the browser and come back."),
    Step("test", "/test", "Test", "Look at single cases",
         "Try the student on new images, and look at what it gets wrong."),
    Step("export", "/export", "Export", "Report and hand-over",
         "The report, and a folder that holds everything needed to use the student elsewhere."),
    Step("system", "/system", "System", "This computer",
         "What Bedside runs on, what it takes, and whether anything left this computer."),
)  # fmt: skip
