"""`bench teacher`: every teacher that ships or was trained here, beside the default one."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from core.benchmarks.teacher import TeacherWorth
from core.config import TeacherSettings
from core.errors import ConfigError
from core.teachers.catalogue import find_teacher, list_teachers
from core.types import SilentReporter
from tests.tiny import write_images, write_tiny_teacher


def test_all_are_judged_on_the_same_images(tmp_path: Path, workspace: Path) -> None:
    write_tiny_teacher(workspace / "teachers")
    images = write_images(tmp_path / "images", patients=15)
    result = TeacherWorth().measure(SilentReporter(), [images])
    first = find_teacher(TeacherSettings().name).title
    shipped = [spec.title for spec in list_teachers() if spec.source == "bundled"]
    lines = result["sets"][0]["teachers"]
    titles = [line["title"] for line in lines]
    assert titles[0] == first
    assert sorted(titles[:-2]) == sorted(shipped)
    assert titles[-2:] == ["Tiny teacher", "random weights"]
    assert [line["behind"] is None for line in lines] == [True] + [False] * (len(lines) - 1)
    gap = lines[0]["auroc"]["value"] - lines[-1]["auroc"]["value"]
    assert lines[-1]["behind"]["value"] == pytest.approx(gap, abs=1e-9)
    console = Console(width=140, file=io.StringIO())
    console.print(TeacherWorth().table(result))
    assert "random weights" in str(console.file.getvalue())


def test_it_needs_images() -> None:
    with pytest.raises(ConfigError, match="C21"):
        TeacherWorth().measure(SilentReporter(), [])
