"""One small trained student and its export, shared by the tests of inference."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.inference.export import ExportResult, export_student
from core.students.base import Student
from tests.inference.samples import card_for, lesions, trained


@dataclass(frozen=True)
class Exported:
    """A student as it was trained, and where it was exported."""

    student: Student
    folder: Path
    result: ExportResult


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """ResNet-10, trained for a few steps and exported; do not change its folder."""
    student = trained("resnet10t", steps=16, rate=1e-3)
    folder = tmp_path_factory.mktemp("model") / "export"
    images, _, _ = lesions(6, seed=2)
    return Exported(student, folder, export_student(student, card_for("resnet10t"), folder, images))


@pytest.fixture
def folder(exported: Exported, tmp_path: Path) -> Path:
    """A copy of the export that a test may spoil."""
    return Path(shutil.copytree(exported.folder, tmp_path / "copy"))
