"""What every test shares: a workspace of its own, and the real data where it exists."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private workspace, so that no test sees another's runs or data sets."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    monkeypatch.setenv("BEDSIDE_WORKSPACE", str(folder))
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public medical images, or a skip that says what is missing."""
    folder = Path(os.environ.get("BEDSIDE_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "README.md").exists():
        pytest.skip(f"the real images are not at {folder}; set BEDSIDE_TEST_DATA")
    return folder
