"""What the window says in which Bedside was started."""

from __future__ import annotations

ABOUT = "Starts Bedside on this computer and opens it in the browser."
PORT = "Port to listen on; without it the first free one from 8710."
NO_BROWSER = "Do not open the browser."
STARTED = """
Bedside is ready: {url}
Keep the link to yourself: whoever has it can use Bedside on this computer.
Ctrl-C ends the pages; a training that runs goes on. Research use. Not for diagnosis.
"""
RUNNING = "Bedside is running already: {url}"
ENDED = "Bedside's pages have ended. Trainings go on; `python launch.py runs` shows them."
TAKEN = "Port {ports} is used by another program"
TAKEN_TODO = "End that program, or choose another: python launch.py --port 9000."
