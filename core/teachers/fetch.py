"""Fetching a teacher from the hub: the one thing in Bedside that leaves this machine.

It happens in a child process of its own, ``python -m core.teachers.fetch``, which is counted in the
ledger of `core.outbound` like every other. Needs no torch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from core.errors import ModelError
from core.outbound import FETCH, watch_connections, watched
from core.teachers.spec import TeacherSpec, hub_folder, hub_target
from core.types import Reporter, SilentReporter, Stopped

HOST = "huggingface.co"
ROOT = Path(__file__).resolve().parents[2]
POLL_S = 0.2
OFFLINE = {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}  # either keeps the hub's client at home
SETTINGS = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_XET": "1",  # its own client would pass by the ledger
    "PYTHONUTF8": "1",
}


def fetch_from_hub(spec: TeacherSpec, cache: Path, reporter: Reporter | None = None) -> Path:
    """Download a hub teacher, in a child process that alone may leave the machine.

    Call it only after the user has agreed to this one download.

    Args:
        spec: A teacher whose source is the hub.
        cache: Where teachers' files are kept.
        reporter: Told how many kilobytes are here; asked whether to stop.

    Returns:
        The file.

    Raises:
        ModelError: There is no network, the repository is gated, or the file is not there (M25).
        Stopped: The reporter asked to stop; what has been fetched is kept for the next time.
    """
    reporter = reporter or SilentReporter()
    folder, target = hub_folder(spec, cache), hub_target(spec, cache)
    repository, _, file = spec.location.partition(":")
    ledger = watched()
    wanted = [repository, file, spec.described_by, str(folder)]
    command = [sys.executable, "-m", "core.teachers.fetch", *wanted]
    environment = {k: v for k, v in os.environ.items() if k not in OFFLINE} | SETTINGS
    with tempfile.TemporaryDirectory() as scratch:
        told, said = Path(scratch) / "told", Path(scratch) / "said"
        with told.open("wb") as out, said.open("wb") as complaints:
            child = subprocess.Popen(
                [*command, str(ledger or "")],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=complaints,
            )
        try:
            _follow(child, folder, told, reporter)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
        if child.returncode != 0 or not target.is_file():
            raise _refusal(spec, said.read_text(encoding="utf-8", errors="replace"))
    return target


def main(arguments: list[str]) -> int:
    """Fetch a file and its description: ``REPOSITORY FILE DESCRIPTION FOLDER WORKSPACE``.

    The first line that is printed is the size of the file.
    """
    repository, file, description, folder, workspace = arguments
    if workspace:
        watch_connections(Path(workspace), FETCH)
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    size = get_hf_file_metadata(hf_hub_url(repository, file)).size
    print(size or 0, flush=True)
    if description:  # first: weights without it would be used with numbers from memory
        hf_hub_download(repository, description, local_dir=folder)
    hf_hub_download(repository, file, local_dir=folder)
    return 0


def _follow(child: subprocess.Popen[bytes], folder: Path, told: Path, reporter: Reporter) -> None:
    """Report how much is here until the child ends or the user asks to stop."""
    total = 0
    while child.poll() is None:
        if reporter.stop_requested():
            raise Stopped
        total = total or int(told.read_text(encoding="utf-8").strip() or 0)
        if total:
            reporter.progress(min(_size(folder), total) // 1000, max(1, total // 1000))
        time.sleep(POLL_S)


def _size(folder: Path) -> int:
    """Bytes of what has arrived, finished or not."""
    found = 0
    for file in folder.rglob("*"):
        try:
            found += file.stat().st_size if file.is_file() else 0
        except OSError:
            continue  # renamed meanwhile
    return found


def _refusal(spec: TeacherSpec, said: str) -> ModelError:
    last = (said.strip().splitlines() or ["no reason given"])[-1]
    reason = last.partition("Error: ")[2] or last  # without the name of a class
    gated = " Ask for access on its page and set HF_TOKEN." if spec.gated else ""
    return ModelError(
        "M25",
        f"The teacher could not be fetched ({reason:.160})",
        item=spec.name,
        todo=f"Check the network, or copy the file to this machine by hand.{gated}",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
