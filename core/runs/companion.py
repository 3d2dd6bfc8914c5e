"""A run of another method beside a run: what it is asked, which one it is. Needs no torch.

Two runs may be compared when they differ in the method alone: same images, same division, same
student, same training and seed, the same teacher where both have one, and, where they were
extended, at the same steps. The student-only run is the yardstick of all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from core.config import RunConfig, load_config
from core.errors import BedsideError
from core.files import read_json
from core.runs.extend import plans
from core.runs.layout import RunFolder
from core.runs.status import RunStatus
from core.runs.store import RunStore

STUDENT_ONLY = "student_only"
ALIKE = {"data", "split", "student", "train", "evaluation"}
NAME_LENGTH = 60
ENDING = re.compile(r" (alone|by [a-z_]+)$")  # of the name of a companion


def companion_request(config: RunConfig, method: str = STUDENT_ONLY) -> RunConfig:
    """What the run of `method` beside a run of `config` is asked: the same, but for the method."""
    settings = config.method.model_copy(update={"name": method})
    end = " alone" if method == STUDENT_ONLY else f" by {method}"
    name = ENDING.sub("", config.name)[: NAME_LENGTH - len(end)] + end
    return config.model_copy(update={"name": name, "method": settings})


def companion_file(run: RunFolder, method: str = STUDENT_ONLY) -> Path:
    """Where the figures of the run of `method` beside `run` are kept, with the difference."""
    return run.report / ("companion.json" if method == STUDENT_ONLY else f"companion-{method}.json")


def companion_of(run: RunFolder, method: str = STUDENT_ONLY) -> str:
    """Id of the run of `method` that stands in the report of `run`; empty where none does."""
    try:
        return str(read_json(companion_file(run, method))["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def find_companion(run: RunFolder, method: str = STUDENT_ONLY) -> RunFolder | None:
    """The newest completed run of `method` that differs from `run` in nothing else."""
    return find_companions(run).get(method)


def find_companions(run: RunFolder) -> dict[str, RunFolder]:
    """For each other method, the newest completed run that differs from `run` in nothing else."""
    found: dict[str, RunFolder] = {}
    for method, other in _completed(run):
        if method not in found and may_compare(run, other):
            found[method] = other
    return found


def runs_beside(run: RunFolder) -> list[RunFolder]:
    """The completed runs that `run` may be put beside."""
    return [other for _, other in _completed(run) if may_compare(run, other)]


def may_compare(run: RunFolder, other: RunFolder) -> bool:
    """Whether two runs differ in the method and in nothing else."""
    try:
        asked = [load_config(each.config) for each in (run, other)]
        methods = {config.method.name for config in asked}
        alike = ALIKE if STUDENT_ONLY in methods else ALIKE | {"teacher"}
        first, second = (config.model_dump(include=alike) for config in asked)
        return (
            len(methods) == 2
            and first == second
            and plans(run) == plans(other)
            and data_of(run) == data_of(other)
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


def _completed(run: RunFolder) -> Iterator[tuple[str, RunFolder]]:
    """Method and folder of the other completed runs of the workspace, the newest first."""
    store = RunStore(run.path.parent.parent)
    for line in store.list():
        if line.id != run.id and line.status is RunStatus.COMPLETED:
            yield line.method, store.open(line.id)
