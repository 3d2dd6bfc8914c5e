"""Licences with conditions: accepted once by the user, and recorded.

A teacher whose licence restricts its use (no commerce, no clinic, no passing on) is used only after
the user has accepted that. What was accepted, and when, stands in the workspace and from there in
every run, card and export. Readable without torch.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from core.errors import ModelError
from core.files import read_json, sha256_json, write_json
from core.teachers.spec import TeacherSpec

FILE = "licences.json"  # in the folder of the teachers
FREE = {"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "Unlicense"}
OWN = "as its owner says"  # of a teacher trained here on the user's own images


def needs_consent(spec: TeacherSpec) -> bool:
    """Whether the licence has conditions that the user has to accept."""
    return spec.source != "bundled" and spec.licence not in {*FREE, OWN}


def accept_licence(spec: TeacherSpec, cache: Path) -> str:
    """Record that the user has accepted this licence.

    Args:
        spec: The teacher; its licence and what it means were shown.
        cache: The folder of the teachers in the workspace.

    Returns:
        When, as ISO 8601.
    """
    accepted = _read(cache)
    key = _key(spec)
    if key not in accepted:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        facts = {"title": spec.title, "licence": spec.licence, "note": spec.licence_note}
        write_json(cache / FILE, accepted | {key: facts | {"accepted": now}})
        return now
    return accepted[key]["accepted"]


def accepted_on(spec: TeacherSpec, cache: Path) -> str:
    """When the user accepted this very text for this teacher; ``""`` if never."""
    return _read(cache).get(_key(spec), {}).get("accepted", "")


def with_consent(spec: TeacherSpec, cache: Path) -> TeacherSpec:
    """The teacher with the day of the acceptance in it.

    Raises:
        ModelError: M38, its licence has conditions and was not accepted.
    """
    day = accepted_on(spec, cache)
    if not day and needs_consent(spec):
        called = "FILE" if spec.source == "file" else spec.name  # a path may identify somebody
        raise ModelError(
            "M38",
            f"The teacher's licence ({spec.licence}) has conditions and was not accepted. "
            f"{spec.licence_note}",
            item=spec.title,
            todo=f"Accept it on the Models page, or: python launch.py accept {called}",
        )
    return spec.model_copy(update={"licence_accepted": day})


def _key(spec: TeacherSpec) -> str:
    return sha256_json([spec.title, spec.licence, spec.licence_note])[:16]


def _read(cache: Path) -> dict[str, dict[str, str]]:
    try:
        found: dict[str, dict[str, str]] = read_json(cache / FILE)
        return found
    except (OSError, ValueError):
        return {}
