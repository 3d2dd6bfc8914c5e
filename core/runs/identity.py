"""Which process a number means, so that a reused process id or a reboot fools nobody."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
START_FIELD = 19  # field 22 of /proc/<pid>/stat, counted after the name in brackets
SAME_START_S = 0.5


@dataclass(frozen=True)
class ProcessIdentity:
    """One process of one boot of one machine.

    Args:
        pid: Its number.
        create_time: When it was started, in seconds. On Linux since boot, which setting the clock
            does not move; elsewhere since 1970.
        boot_id: The boot it belongs to; empty where `create_time` alone tells boots apart.
        host: The machine's name.
    """

    pid: int
    create_time: float
    boot_id: str
    host: str

    def is_alive(self) -> bool:
        """Whether that very process runs: same boot, same number, same start, and no zombie."""
        if self.boot_id != boot_id():
            return False
        try:
            if psutil.Process(self.pid).status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
                return False
            return abs(_create_time(self.pid) - self.create_time) < SAME_START_S
        except (psutil.Error, OSError):
            return False

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def this_process() -> ProcessIdentity:
    """The identity of the calling process."""
    pid = os.getpid()
    return ProcessIdentity(pid, _create_time(pid), boot_id(), platform.node())


def identity_from_json(facts: Any) -> ProcessIdentity | None:
    """Read what `ProcessIdentity.to_json` wrote; None when that is not what it is."""
    try:
        return ProcessIdentity(
            int(facts["pid"]),
            float(facts["create_time"]),
            str(facts["boot_id"]),
            str(facts["host"]),
        )
    except (TypeError, KeyError, ValueError):
        return None


@cache
def boot_id() -> str:
    """Name of the current boot of this machine; empty on systems without one."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _create_time(pid: int) -> float:
    if sys.platform != "linux":
        return psutil.Process(pid).create_time()
    # psutil adds the boot time, which moves when the clock is set: a day's correction would make
    # every running worker look like a stranger.
    after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2]
    return int(after_name.split()[START_FIELD]) / os.sysconf("SC_CLK_TCK")
