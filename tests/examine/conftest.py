"""One finished run for all tests of the Test page's machinery; do not change it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from core.runs.layout import RunFolder
from tests.finished import finish_run
from tests.tiny import tiny_config, write_images, write_tiny_teacher


@dataclass(frozen=True)
class Finished:
    """A workspace with a finished run."""

    workspace: Path
    images: Path
    run: RunFolder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    home = tmp_path_factory.mktemp("examine")
    images, teacher = write_images(home / "demo", patients=24), write_tiny_teacher(home / "t")
    run = finish_run(home / "workspace", tiny_config(images, teacher))
    return Finished(home / "workspace", images, run)
