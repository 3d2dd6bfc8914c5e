"""Two runs that differ in the method alone, as one sentence."""

from __future__ import annotations

from core.config import load_config
from core.evaluation.report_words import verdict
from core.files import read_json
from core.objectives.methods import METHODS
from core.runs.companion import companion_file, companion_of
from core.runs.layout import RunFolder


def verdict_of(run: RunFolder, other: RunFolder) -> str:
    """Both AUROCs on validation, the paired difference, and whether it is more than chance.

    Empty unless `other` stands in the report of `run`.
    """
    method, against = (load_config(each.config).method.name for each in (run, other))
    if companion_of(run, against) != other.id:
        return ""
    try:
        own, facts = (
            read_json(file)
            for file in (run.report / "validation.json", companion_file(run, against))
        )
        paired = facts["difference"]["validation"]
        areas = [each["figures"]["auroc"]["value"] for each in (own, facts["validation"])]
    except (OSError, ValueError, KeyError):
        return ""  # the run has not been assessed yet
    names = [METHODS[name].title if name in METHODS else name for name in (method, against)]
    confidence = float(own.get("confidence", 0.95))
    return verdict((names[0], names[1]), (areas[0], areas[1]), paired, confidence)
