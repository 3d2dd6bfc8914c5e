"""What the Train page says; the sentences that only the browser composes stand in its scripts."""

from __future__ import annotations

from typing import Final

from core.config import RunConfig
from core.objectives.methods import METHODS

START_TITLE: Final = "Start a training"
EFFORT: Final = "How thorough"
START: Final = "Start training"
WHY: Final = "Why these settings"
WHY_WORDS: Final = "What was chosen for these images, this student and this computer, and why."
WHY_TITLES: Final = {"method.name": "Method", "student.image_px": "Picture (px)"}
WHY_HEADS: Final = ("Setting", "Value", "Why")
ADVANCED: Final = "Advanced"
ADVANCED_WORDS: Final = (
    "Every setting of the next run. What you change is kept with the project and used by the "
    "command line too; teacher and student are chosen on Models."
)
RESET: Final = "Back to the defaults"

GROUPS: Final = {
    "method": "Method",
    "train": "Training",
    "teacher": "Teacher",
    "student": "Student",
    "evaluation": "Figures",
    "device": "Device",
}

METHOD: Final = "How the student is taught"
METHOD_WORDS: Final = (
    "Reprogramming is what Bedside is for; the others are there to be compared with it, on the "
    "same images and views."
)

ELSEWHERE: Final = frozenset({"teacher.name", "student.name"})  # chosen on Models

NO_PROJECT: Final = "There are no images to train on yet"
NO_PROJECT_TODO: Final = "Choose a folder on the Data page, or open the demo there."
NOT_IMPORTED: Final = "The images of this project have not been read and divided yet"
NOT_IMPORTED_TODO: Final = "Do that on the Data page first."
CHANGED_ELSEWHERE: Final = "Another project has been opened in the meantime"
CHANGED_ELSEWHERE_TODO: Final = "Reload this page, look at the settings, and press again."
NO_PRESET: Final = "There is no such way to train"
NO_PRESET_TODO: Final = "Choose one of those that are offered."
ALREADY: Final = (
    "This training is under way already, so nothing new was started. It is shown below."
)


def passes(number: int) -> str:
    """``60 passes``."""
    return "1 pass" if number == 1 else f"{number:,} passes"


def about(seconds: float) -> str:
    """A time as roughly as it is known: ``about 4 min``."""
    if seconds < 90:
        return "about a minute"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"about {seconds / 3600:.0f} h"
    return f"about {seconds / 86400:.0f} days"


def preset_label(title: str, summary: str, number: int, seconds: float | None) -> str:
    """Three lines: what it is called, what it is for, what it means."""
    time = "" if seconds is None else f", {about(seconds)}"
    return f"{title}\n{summary}\n{passes(number)}{time}"


def shown(value: object) -> str:
    """A setting's value for people: a method by its title, yes or no, a number as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and value in METHODS:
        return METHODS[value].title
    return f"{value:g}" if isinstance(value, float) else str(value)


def yours(usual: str, sentence: str) -> str:
    """Why a setting differs that somebody changed."""
    return f"Changed by you; Bedside would take {usual}. {sentence}"


def by_preset(preset: str, usual: str, sentence: str) -> str:
    """Why a setting differs that a preset changed."""
    return f"By “{preset}”; usually {usual}. {sentence}"


def plan(config: RunConfig, images: int, seconds: float | None, *, own: bool) -> str:
    """What Start will do, in one sentence or two."""
    words = [f"{'Your own settings: ' if own else ''}{passes(config.train.epochs)}"]
    if images:
        words.append(f"over about {images:,} training images")
    if config.method.name != "student_only":
        views = "one view" if config.teacher.views == 1 else f"{config.teacher.views} views"
        words.append(f"with the teacher's answer to {views} of each")
    time = "" if seconds is None else f", {about(seconds)}"
    early = " It ends earlier when validation no longer improves." if config.train.patience else ""
    return f"{' '.join(words)}{time}.{early}"


EVENTS: Final = {
    "created": "Asked for",
    "queued": "Waits for its turn",
    "started": "Started",
    "stop_requested": "Asked to stop",
    "stopped": "Stopped, all saved",
    "completed": "Complete",
    "failed": "Failed",
}
SAVED: Final = {
    "last": "Saved after step {step}",
    "best": "Saved after step {step}, the best so far",
}
OTHER_IMAGES: Final = (
    "These two runs were judged on different images, so their figures cannot be compared."
)
UNPAIRED: Final = (
    "Both were judged on the same images. Overlapping intervals do not tell whether one is better "
    "than the other; only runs that differ in the method alone are compared pair by pair."
)
NO_FIGURES: Final = "Figures are computed at the end of a run; not both of these have them yet."
