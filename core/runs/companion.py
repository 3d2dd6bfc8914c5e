"""The student-only run beside a run: what it is asked, which one it is. Needs no torch.

Two runs may be compared when they differ in the method alone: same images, same division, same
student, same training and seed, and, where they were extended, at the same steps.
"""

from __future__ import annotations

from collections.abc import Callable

from core.config import RunConfig, load_config
from core.errors import BedsideError
from core.files import read_json
from core.runs.extend import plans
from core.runs.layout import RunFolder
from core.runs.status import RunStatus
from core.runs.store import RunStore, RunSummary

STUDENT_ONLY = "student_only"
ALIKE = {"data", "split", "student", "train", "evaluation"}


def companion_request(config: RunConfig) -> RunConfig:
    """What the student-only run beside a run of `config` is asked: the same, without a teacher."""
    method = config.method.model_copy(update={"name": STUDENT_ONLY})
    return config.model_copy(update={"name": f"{config.name[:54]} alone", "method": method})


def find_companion(run: RunFolder) -> RunFolder | None:
    """The newest completed student-only run that differs from `run` in nothing else."""
    others = _others(run, lambda line: line.method == STUDENT_ONLY)
    return next((other for other in others if may_compare(run, other)), None)


def runs_beside(alone: RunFolder) -> list[RunFolder]:
    """The completed runs that the student-only run `alone` is the yardstick of."""
    others = _others(alone, lambda line: line.method != STUDENT_ONLY)
    return [other for other in others if may_compare(other, alone)]


def may_compare(run: RunFolder, alone: RunFolder) -> bool:
    """Whether `alone` differs from `run` in the method and nothing else."""
    try:
        asked, other = load_config(run.config), load_config(alone.config)
        return (
            asked.method.name != STUDENT_ONLY == other.method.name
            and asked.model_dump(include=ALIKE) == other.model_dump(include=ALIKE)
            and plans(run) == plans(alone)
            and data_of(run) == data_of(alone)
        )
    except (BedsideError, OSError, ValueError, KeyError):
        return False  # unreadable, or not as far as having images


def data_of(run: RunFolder) -> tuple[str, str]:
    """What two runs must share to be compared: the images and their division."""
    inputs = read_json(run.path / "inputs.json")
    return str(inputs["images, labels or patients"]), split_sha256(run)


def split_sha256(run: RunFolder) -> str:
    """Hash of the division of the patients."""
    return str(read_json(run.path / "split.json")["sha256"])


def _others(run: RunFolder, wanted: Callable[[RunSummary], bool]) -> list[RunFolder]:
    store = RunStore(run.path.parent.parent)
    return [
        store.open(line.id)
        for line in store.list()
        if line.id != run.id and line.status is RunStatus.COMPLETED and wanted(line)
    ]
