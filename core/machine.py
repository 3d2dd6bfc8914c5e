"""This machine in words, and how much of it a process may use; needs no torch."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path


def machine_name() -> str:
    """The processor and its cores in words; never the name of the computer."""
    return f"{_processor()}, {os.cpu_count()} cores"


def choose_threads(wanted: int) -> int:
    """Processor threads: as many as wanted, or with 0 as many as this process may use."""
    if wanted:
        return wanted
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def likely_device(wanted: str) -> str:
    """Where a run will train, guessed without torch: "cpu", "cuda" or "mps".

    Args:
        wanted: As in the request; "auto" looks for NVIDIA's driver and for Apple's processors.
    """
    if wanted != "auto":
        return wanted
    if Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi"):
        return "cuda"
    return "mps" if (platform.system(), platform.machine()) == ("Darwin", "arm64") else "cpu"


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        asked = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            text=True,
            check=False,
        )
        return asked.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()
