"""The command line as its user calls it: a process, its words, its JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.runs.layout import RunFolder
from core.runs.store import RunStore
from tests.tiny import tiny_config, write_images, write_tiny_teacher

ROOT = Path(__file__).resolve().parents[2]
AUDIT = ROOT / "tests" / "audit"


@dataclass(frozen=True)
class Desk:
    """A workspace, tiny images and a tiny teacher."""

    workspace: Path
    images: Path
    teacher: Path
    audit: Path

    def config(self, method: str = "rd", **train: object) -> Path:
        """Write a configuration file."""
        file = self.workspace / f"{method}.json"
        file.write_text(tiny_config(self.images, self.teacher, method, **train).to_json())
        return file

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start a command."""
        environment = {
            **os.environ,
            "BEDSIDE_WORKSPACE": str(self.workspace),
            "BEDSIDE_AUDIT": str(self.audit),
            "PYTHONPATH": os.pathsep.join([str(AUDIT), str(ROOT)]),
            "OMP_NUM_THREADS": "1",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "core.cli", *map(str, arguments)],
            cwd=ROOT, env=environment, text=True, encoding="utf-8",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def call(self, *arguments: object, code: int = 0) -> str:
        """Run a command to its end and return what it said."""
        command = self.start(*arguments)
        said, _ = command.communicate(timeout=240)
        assert command.returncode == code, said
        return said

    def json(self, *arguments: object) -> dict[str, Any]:
        """Run a command and return what it wrote for machines."""
        file = self.workspace / "result.json"
        self.call(*arguments, "--json", file)
        result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return result

    def run(self, name: str) -> RunFolder:
        """Find a run."""
        return RunStore(self.workspace).open(name)


def make_desk(home: Path) -> Desk:
    workspace = home / "wörk space"
    workspace.mkdir(parents=True)
    return Desk(
        workspace, write_images(home / "demo"), write_tiny_teacher(home / "t"), home / "audit"
    )


@pytest.fixture(scope="package")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return make_desk(tmp_path_factory.mktemp("desk"))
