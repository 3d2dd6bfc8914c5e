"""The ledger of opened test sets: how often anyone has looked. Needs no torch.

The test set of a division of patients is spent by looking at it, whichever run looks; so the
ledger lies in the workspace and counts by division, not by run.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from core.runs.companion import split_sha256
from core.runs.layout import RunFolder


def openings(run: RunFolder) -> list[dict[str, str]]:
    """Every time the test set of this run's split was opened: ``{"ts", "run", "split_sha256"}``."""
    ledger = _ledger(run)
    if not ledger.exists():
        return []
    found = []
    for line in ledger.read_text(encoding="utf-8").splitlines():
        try:
            opening = json.loads(line)
        except ValueError:
            continue  # torn by a power cut
        if opening["split_sha256"] == split_sha256(run):
            found.append(opening)
    return found


def record_opening(run: RunFolder) -> None:
    """Write down that the test set of this run's split is being opened now."""
    line = {
        "ts": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": run.id,
        "split_sha256": split_sha256(run),
    }
    with _ledger(run).open("a", encoding="utf-8") as ledger:
        ledger.write(json.dumps(line) + "\n")


def _ledger(run: RunFolder) -> Path:
    return run.path.parent.parent / "test_openings.jsonl"
