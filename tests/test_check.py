"""What `check` tells of this machine, and which licences the packages declare."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

from core.check import describe_machine, list_licences
from core.runs.environment import describe_environment


def test_every_required_package_names_its_licence() -> None:
    found = {package["name"]: package for package in list_licences()}
    assert found.keys() == describe_environment()["packages"].keys()
    assert all(package["licence"] and package["version"] for package in found.values()), found
    assert all("\n" not in package["licence"] for package in found.values())
    assert found["pydantic"]["licence"] == "MIT"
    assert not any("GPL" in package["licence"] for package in found.values())


def test_the_machine_is_described_without_its_name(workspace: Path) -> None:
    (workspace / "runs").mkdir()
    (workspace / "runs" / "file").write_bytes(bytes(1234))
    facts = describe_machine(workspace)
    assert facts["disk"]["kinds"]["runs"] == 1234
    assert facts["disk"]["workspace"] == 1234
    assert facts["disk"]["total"] == shutil.disk_usage(workspace).total
    assert 0 < facts["memory_free"] <= facts["memory"]
    assert facts["connections"]["attempts"] == {}
    assert platform.node() not in str({**facts, "environment": ""})
