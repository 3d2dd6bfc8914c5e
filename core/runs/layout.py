"""Where everything of one run lies: the only place that knows the file names of a run directory."""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

SLUG_LENGTH = 30  # keeps the deepest path of a run well under Windows' 260 characters
STAMP = "%Y%m%d-%H%M%S"
STAMP_LENGTH = len("YYYYMMDD-HHMMSS")
RUN_ID = re.compile(rf"\d{{8}}-\d{{6}}-[a-z0-9][a-z0-9-]{{0,{SLUG_LENGTH - 1}}}-[0-9a-f]{{4}}")


@dataclass(frozen=True)
class RunFolder:
    """One run directory; a value, so it may name a folder that does not exist (yet).

    Args:
        path: The run directory itself.
    """

    path: Path

    @property
    def id(self) -> str:
        """The run's id, which is the name of its directory."""
        return self.path.name

    @property
    def config(self) -> Path:
        """The validated request; written once, never edited."""
        return self.path / "config.json"

    @property
    def environment(self) -> Path:
        """Versions, machine, code revision and seed of the newest attempt and the earlier ones."""
        return self.path / "environment.json"

    @property
    def manifest(self) -> Path:
        """The images of the run with their splits."""
        return self.path / "manifest.parquet"

    @property
    def events(self) -> Path:
        """What happened, one JSON line each; append-only, one writer."""
        return self.path / "events.jsonl"

    @property
    def console(self) -> Path:
        """What the worker printed."""
        return self.path / "console.log"

    @property
    def worker(self) -> Path:
        """Who works, or last worked, on the run."""
        return self.path / "worker.json"

    @property
    def worker_lock(self) -> Path:
        """Held by the worker as long as it lives."""
        return self.path / "worker.lock"

    @property
    def stop(self) -> Path:
        """Control file: present means "finish the step, save, stop"."""
        return self.path / "stop"

    @property
    def finish_now(self) -> Path:
        """Control file: present means "end training, evaluate the best checkpoint, export"."""
        return self.path / "finish_now"

    @property
    def checkpoints(self) -> Path:
        """Folder of the last, previous and best checkpoint, and the newest of an epoch's end."""
        return self.path / "checkpoints"

    @property
    def extends(self) -> Path:
        """Which run this one goes on from, and where; only if it extends one."""
        return self.path / "extends.json"

    @property
    def inherited(self) -> Path:
        """The checkpoints of that run, until the worker has taken them over."""
        return self.path / "inherited"

    @property
    def alignment(self) -> Path:
        """CKA of teacher and student stage by stage, before and after; only with a teacher."""
        return self.path / "alignment.json"

    @property
    def adapter(self) -> Path:
        """What the run has added to its teacher; only with a method that fits the teacher."""
        return self.path / "adapter.safetensors"

    @property
    def export(self) -> Path:
        """Folder of the exported student."""
        return self.path / "export"

    @property
    def report(self) -> Path:
        """Folder of the report and the figures it is made from."""
        return self.path / "report"


def new_run_id(name: str, now: datetime) -> str:
    """Make an id ``<YYYYMMDD-HHMMSS>-<slug>-<4 hex>``.

    Args:
        name: The run's name; what is no Latin letter or digit becomes a hyphen.
        now: The local time, so that the user recognises it.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].strip("-") or "run"
    return f"{now.strftime(STAMP)}-{slug}-{secrets.token_hex(2)}"


def is_run_id(name: str) -> bool:
    """Whether `name` follows the grammar of run ids, and so can be a folder name and nothing else.

    Unlike a path it has no separator, no dot and no drive letter.
    """
    if not RUN_ID.fullmatch(name):
        return False
    try:
        created_at(name)
    except ValueError:
        return False
    return True


def created_at(run_id: str) -> datetime:
    """Local time at which the run was asked for.

    Raises:
        ValueError: `run_id` does not begin with a date and a time.
    """
    return datetime.strptime(run_id[:STAMP_LENGTH], STAMP)
