"""What the probe has said of teachers on one set of training images, kept for good; no torch.

`core.probing` writes it. A folder ``probes/<key>/`` belongs to the training images of one data set
as they are labelled: ``sample.json`` names the images, ``<teacher>.json`` holds one teacher's
figures and map, ``<teacher>.npy`` its probabilities, ``ranking.json`` how far each is behind the
best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BedsideError
from core.files import read_json, sha256_json
from core.teachers.catalogue import AtHand
from core.teachers.consent import accepted_on, needs_consent
from core.teachers.room import UNIMPORTANT
from core.teachers.spec import TeacherSpec, teacher_file

PROBE_VERSION = 2  # raise it when something else is computed
MOST_IMAGES = 2000  # more would change the ranking little, and each costs a look of every teacher
Facts = dict[str, Any]


@dataclass(frozen=True)
class Probes:
    """What is known so far.

    Attributes:
        sample: ``dataset`` (its id), ``rows`` and ``labels`` (class indices) of the images probed,
            ``groups`` they fall into, ``each`` of which is a "patient" or a "group", and ``of``:
            training images there are; empty before the first probe.
        teachers: `probe_key` to a teacher's facts: ``linear`` and ``neighbours`` (figures),
            ``seconds``, ``kept``, ``seen``; or ``problem``.
        best: Key of the teacher whose linear probe has the largest AUROC; "" before a ranking.
        behind: Key to the paired difference of that AUROC from the best one's, as a figure.
    """

    sample: Facts
    teachers: dict[str, Facts]
    best: str
    behind: dict[str, Facts]

    def sorted(self) -> list[tuple[str, Facts]]:
        """Key and facts of every teacher, the best linear probe first, failures last."""
        return sorted(self.teachers.items(), key=lambda item: (-_area(item[1]), item[1]["title"]))

    def told(self) -> str:
        """On which images, and over whom the intervals are; "" before the first probe."""
        if not self.sample:
            return ""
        shown, of, groups = len(self.sample["rows"]), self.sample["of"], self.sample["groups"]
        images = f"All {of:,}" if shown == of else f"{shown:,} of {of:,}"
        each = self.sample["each"]
        whose = {
            "patient": f"of {groups:,} patients",
            "group": f"in {groups:,} groups (of one patient or examination, or that look alike)",
        }[each]
        return (
            f"{images} training images {whose}; each was judged without its own {each}. AUROC with "
            f"95 % intervals over {each}s; 0.5 is guessing, 1 is perfect. Validation and test "
            "images were not looked at."
        )


def may_be_probed(at_hand: AtHand, cache: Path) -> dict[str, TeacherSpec]:
    """Teachers whose file is on this machine and whose licence, if need be, was accepted."""
    return {
        name: spec
        for name, spec in at_hand.here(cache).items()
        if accepted_on(spec, cache) or not needs_consent(spec)
    }


def probe_key(spec: TeacherSpec) -> str:
    """What a teacher's results are filed under; of a hub's teacher the file is told by `stamp`."""
    return sha256_json(spec.model_dump(mode="json", exclude=UNIMPORTANT))[:16]


def stamp(spec: TeacherSpec, cache: Path) -> list[int]:
    """Size and time of a teacher's file: results of another file are not its own.

    Raises:
        ModelError: M20, the file is not there.
    """
    facts = teacher_file(spec, cache).stat()
    return [facts.st_size, facts.st_mtime_ns]


def probes_folder(workspace: Path, data_sha256: str, train: Sequence[str]) -> Path:
    """Where the results on these training images are kept.

    Args:
        workspace: The workspace.
        data_sha256: Hash of the data set, its labels and patients among what it covers.
        train: Ids of the training images, in any order.
    """
    key = sha256_json([PROBE_VERSION, MOST_IMAGES, data_sha256, sorted(train)])[:16]
    return workspace / "probes" / key


def read_probes(folder: Path, teachers: Mapping[str, TeacherSpec], cache: Path) -> Probes:
    """What is known of these teachers; of one whose file has changed since, nothing is."""
    ranking = _read(folder / "ranking.json")
    known = {}
    for spec in teachers.values():
        key = probe_key(spec)
        facts = _read(folder / f"{key}.json")
        if facts and facts["stamp"] == _stamp(spec, cache):
            known[key] = facts
    return Probes(
        _read(folder / "sample.json"), known, ranking.get("best", ""), ranking.get("behind", {})
    )


def _area(facts: Facts) -> float:
    value = facts["linear"]["auroc"]["value"] if "linear" in facts else None
    return -1.0 if value is None else float(value)


def _stamp(spec: TeacherSpec, cache: Path) -> list[int] | None:
    try:
        return stamp(spec, cache)
    except BedsideError:
        return None


def _read(file: Path) -> Facts:
    try:
        found: Facts = read_json(file)
        return found
    except (OSError, ValueError):
        return {}
