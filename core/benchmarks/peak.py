"""The most memory an import takes, measured in a process of its own.

``python -m core.benchmarks.peak FOLDER WORKSPACE`` imports the folder and prints the figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from core.errors import SystemError_

ROOT = Path(__file__).resolve().parents[2]
MB = 1e6


def measure_peak(images: Path, workspace: Path) -> dict[str, float]:
    """Import a folder in a fresh process.

    Returns:
        ``peak_mb`` of the importing process, without its decoding children, and ``seconds``.

    Raises:
        SystemError_: E05, the import failed.
    """
    command = [sys.executable, "-m", __name__, str(images), str(workspace)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemError_("E05", "The benchmark's import failed", item=done.stderr[-500:])
    found: dict[str, float] = json.loads(done.stdout)
    return found


def peak_mb() -> float:
    """The most memory this process has held at any time, in MB."""
    if sys.platform == "linux":  # `ru_maxrss` would begin with the peak of who started us
        status = Path("/proc/self/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / MB
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset) / MB
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB


def main(images: str, workspace: str) -> None:
    """Import, divide and describe a folder as the app does; print the figures as JSON."""
    from core.config import DataSettings, RunConfig
    from core.importing import import_images
    from core.types import SilentReporter

    folder = Path(workspace) / "project"
    folder.mkdir(parents=True)
    config = RunConfig(name="peak", data=DataSettings(source=images))
    started = time.perf_counter()
    import_images(config, Path(workspace), folder, SilentReporter())
    print(json.dumps({"peak_mb": peak_mb(), "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main(*sys.argv[1:])
