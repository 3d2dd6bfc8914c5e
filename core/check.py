"""What this machine is, what is installed, and whether anything has left it.

`describe_machine` needs no torch and is what the app's page asks; `check_machine` adds the devices
that only torch can see.
"""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

import psutil

from core.disk import disk_by_kind
from core.files import workspace_folder
from core.machine import choose_threads, machine_name
from core.outbound import summarise
from core.runs.environment import describe_environment

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LONGEST = 60  # characters; some packages put their whole licence where its name belongs
CLASSIFIER = "License :: OSI Approved :: "


def check_machine() -> dict[str, Any]:
    """Versions, devices, disk and outgoing connections, as plain values.

    Returns:
        What `describe_machine` returns, besides ``devices`` (name to sentence).
    """
    return describe_machine(workspace_folder()) | {"devices": _devices()}


def describe_machine(workspace: Path) -> dict[str, Any]:
    """Everything that is known without torch.

    Returns:
        ``environment``, ``machine``, ``threads``, ``memory`` and ``memory_free`` (bytes), ``disk``
        (bytes: ``free``, ``total``, ``workspace`` and, in ``kinds``, what takes it),
        ``connections`` (see `core.outbound.summarise`) and ``proxies`` (names of variables; only
        fetching a teacher would use them).
    """
    memory = psutil.virtual_memory()
    return {
        "environment": describe_environment(),
        "machine": machine_name(),
        "threads": choose_threads(0),
        "memory": memory.total,
        "memory_free": memory.available,
        "disk": _disk(workspace),
        "connections": summarise(workspace),
        "proxies": [name for name in PROXIES if name in os.environ or name.lower() in os.environ],
    }


def list_licences() -> list[dict[str, str]]:
    """``{"name", "version", "licence"}`` of every required package, as it declares itself."""
    found = []
    for name, version in describe_environment()["packages"].items():
        found.append({"name": name, "version": version, "licence": _licence(name)})
    return sorted(found, key=lambda package: package["name"].lower())


def _licence(package: str) -> str:
    try:
        declared = metadata(package)
    except PackageNotFoundError:
        return ""
    expression, free = (
        str(declared[field]).strip() if field in declared else ""
        for field in ("License-Expression", "License")
    )
    named = [
        line.removeprefix(CLASSIFIER)
        for line in declared.get_all("Classifier") or []
        if line.startswith(CLASSIFIER)
    ]
    short = free if len(free) <= LONGEST and "\n" not in free else ""
    return expression or short or ", ".join(named) or free.partition("\n")[0][:LONGEST]


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


def _disk(workspace: Path) -> dict[str, Any]:
    usage = shutil.disk_usage(workspace)
    kinds = disk_by_kind(workspace)
    return {
        "free": usage.free,
        "total": usage.total,
        "workspace": sum(kinds.values()),
        "kinds": kinds,
    }
