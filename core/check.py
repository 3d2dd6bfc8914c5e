"""What this machine is, what is installed, and whether anything would leave it."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import Any

import psutil

from core.files import workspace_folder
from core.runs.environment import describe_environment

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def check_machine() -> dict[str, Any]:
    """Versions, devices, disk and outgoing connections, as plain values.

    Returns:
        ``environment``, ``devices`` (name to sentence), ``disk`` (bytes), ``memory`` (bytes),
        ``connections`` (those of this process that leave the machine) and
        ``proxies`` (names of variables; only `fetch` would use them).
    """
    workspace = workspace_folder()
    return {
        "environment": describe_environment(),
        "devices": _devices(),
        "memory": psutil.virtual_memory().total,
        "disk": _disk(workspace),
        "connections": _outside_connections(),
        "proxies": [name for name in PROXIES if name in os.environ or name.lower() in os.environ],
    }


def _devices() -> dict[str, str]:
    import torch

    threads = torch.get_num_threads()
    found = {"cpu": f"{platform.processor() or platform.machine()}, {threads} threads"}
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            found[f"cuda:{index}"] = f"{facts.name}, {facts.total_memory / 1e9:.0f} GB"
    if torch.backends.mps.is_available():
        found["mps"] = "Apple graphics"
    return found


def _disk(workspace: Path) -> dict[str, int]:
    usage = shutil.disk_usage(workspace)
    used = sum(file.stat().st_size for file in workspace.rglob("*") if file.is_file())
    return {"free": usage.free, "total": usage.total, "workspace": used}


def _outside_connections() -> list[str]:
    """Remote ends of this process's connections that are not on this machine."""
    return [
        f"{connection.raddr.ip}:{connection.raddr.port}"
        for connection in psutil.Process().net_connections(kind="inet")
        if connection.raddr and not connection.raddr.ip.startswith(("127.", "::1"))
    ]
