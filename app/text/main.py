"""What the window says in which Bedside was started."""

from __future__ import annotations

ABOUT = "Starts Bedside on this computer and opens it in the browser."
PORT = "Port to listen on; without it the first free one from 8710."
NO_BROWSER = "Do not open the browser."
STARTING = "Starting Bedside. Your browser opens by itself."
STARTING_ALONE = "Starting Bedside."
STARTED = """
Bedside is ready: {url}
Keep the link to yourself: whoever has it can use Bedside on this computer.
Ctrl-C ends the pages; a training that runs goes on. Research use. Not for diagnosis.
"""
RUNNING = "Bedside is running already: {url}"
ENDED = "Bedside's pages have ended. Trainings go on; `python launch.py runs` shows them."
TAKEN = "Port {ports} is used by another program"
REFUSED = "Port {ports} cannot be used ({reason})"
NO_PORT = "A port is a number from 1 to 65535"
TAKEN_TODO = "End that program, or choose another: python launch.py --port 9000."
