"""What the System page says; the sentences that only the browser composes stand in its script."""

from __future__ import annotations

from typing import Final

# Kinds of processes, in the order shown
PROCESSES: Final = {
    "server": "These pages",
    "run": "Trainings",
    "task": "Imports, measurements, predictions, reports",
    "decoder": "Decoding of image files",
    "examiner": "Looking at single images",
    "command": "Commands in a terminal",
    "fetch": "Fetching a teacher, after you agreed to it",
}
# Bundled with Bedside besides the packages: what, whose, licence, where the licence stands
BUNDLED: Final = (
    {"name": "Bedside", "what": "This program", "licence": "Apache-2.0", "file": "LICENSE"},
    {
        "name": "Bedside S10",
        "what": "The teacher that comes with it; trained on computer-made pictures alone",
        "licence": "Apache-2.0",
        "file": "assets/teachers/bedside-s10.json",
    },
    {
        "name": "Bedside R10",
        "what": "A second teacher; trained on images under CC BY 4.0 and MIT, which its card names",
        "licence": "Apache-2.0",
        "file": "assets/teachers/bedside-r10.json",
    },
    {
        "name": "IBM Plex Sans and Mono",
        "what": "The type these pages are set in",
        "licence": "OFL-1.1",
        "file": "assets/fonts/LICENSE",
    },
    {
        "name": "plotly.js",
        "what": "The curves of a training",
        "licence": "MIT",
        "file": "app/static/vendor/plotly-LICENSE",
    },
)
NOTICE: Final = (
    "Bedside is research software. It is not a medical device: no authority has assessed it, and "
    "it has no CE mark and no clearance by the FDA or by anyone else.",
    "Nothing it shows or writes may be used to diagnose, to treat, to screen, or to decide about a "
    "patient. That goes for every probability, heat-map, figure and report, and for every student "
    "that is handed over.",
    "A student has learned from the images it was given and from nothing else. On images of other "
    "scanners, sites or patients it may be wrong, and wrong with confidence. Its figures show "
    "chance, not safety.",
    "Whoever uses Bedside answers for having the right to use the images, for following the rules "
    "of the house and the law, and for naming the sources that licences ask to be named.",
    "Bedside comes without any warranty, as its licence (Apache-2.0) says.",
)
