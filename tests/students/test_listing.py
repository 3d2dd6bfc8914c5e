"""Students and teachers can be listed in a process that never loads torch, as the app's is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import ConfigError
from core.students.spec import STUDENTS, students_by_size

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "torchvision", "timm", "captum", "lightning_fabric", "onnxruntime"}
LISTING = """
import sys
from pathlib import Path
from core.students.spec import STUDENTS
from core.teachers.catalogue import teachers_at_hand
import core.check, core.disk, core.estimate, core.inference.hand_over, core.teachers.fetch
print(len(STUDENTS.names()), len(teachers_at_hand(Path("."), "bedside-r10").teachers))
print([name for name in {heavy} if name in sys.modules])
"""


def test_what_the_pages_list_needs_no_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTING.format(heavy=sorted(HEAVY))],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    counts, loaded = done.stdout.splitlines()
    assert all(int(count) >= 3 for count in counts.split())
    assert loaded == "[]"


def test_students_are_listed_from_small_to_large() -> None:
    work = [STUDENTS.get(name).work for name in students_by_size()]
    assert work == sorted(work)
    assert set(students_by_size()) == set(STUDENTS.names())


@pytest.mark.parametrize(
    ("name", "asked", "nearest"),
    [("resnet18", 97, 97), ("resnet18", 8, 32), ("vit_tiny", 100, 96), ("vit_tiny", 8, 32),
     ("vit_tiny", 5000, 1024)],
)  # fmt: skip
def test_the_nearest_side_suits_the_student(name: str, asked: int, nearest: int) -> None:
    spec = STUDENTS.get(name)
    assert spec.nearest_px(asked) == nearest
    spec.require_px(nearest)
    if asked < nearest:
        with pytest.raises(ConfigError, match=f"Use {nearest} px"):
            spec.require_px(asked)
