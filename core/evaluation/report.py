"""The report of a run: one HTML file that opens anywhere, offline, without a script."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.evaluation import report_charts as charts
from core.evaluation import report_tables as tables
from core.evaluation import report_words as words
from core.evaluation.report_cohort import describe_cohort, overlap_sentence
from core.evaluation.report_facts import Facts, read_facts
from core.evaluation.report_page import render_page
from core.evaluation.report_stages import EXPLAINED, stage_tables, stages_in_words
from core.files import write_text
from core.objectives.methods import METHODS
from core.runs.companion import STUDENT_ONLY
from core.runs.layout import RunFolder

REPORT_NAME = "report.html"
MANY = "The more methods are compared, the likelier one of them seems better by chance."
Json = Mapping[str, Any]


def write_report(run: RunFolder, workspace: Path) -> Path:
    """Write ``report/report.html`` from what stands in the run directory, and nothing else.

    What is missing (no test figures, no companion, no probe) is said or left out. The file loads
    nothing from anywhere and holds no path, file name or patient's name.

    Args:
        run: A run directory with at least its configuration.
        workspace: Its ``test_openings.jsonl`` tells how often any run opened this test set.

    Returns:
        The file written.

    Raises:
        RunError: R40, there is no configuration to report on.
        SystemError_: The file cannot be written.
    """
    target = run.report / REPORT_NAME
    write_text(target, render_report(read_facts(run, workspace)))
    return target


def render_report(facts: Facts) -> str:
    """The page as HTML."""
    return render_page("report.html", **_content(facts))


def _content(facts: Facts) -> dict[str, Any]:
    method = METHODS.get(facts.config.method.name)
    compared = facts.teacher_beside.get("validation")
    return {
        "title": words.name(facts.config.name),
        "run_id": facts.run_id,
        "written": words.moment(datetime.now(UTC).isoformat()),
        "created": words.moment(facts.events[0].get("ts")) if facts.events else "",
        "method_title": method.title if method else facts.config.method.name,
        "method_about": method.about if method else "",
        "question": _question(facts, method.title if method else facts.config.method.name),
        "synthetic": bool(facts.dataset.get("synthetic")),
        "cohort": describe_cohort(facts.images, facts.classes),
        "ignored": facts.dataset.get("ignored", 0),
        "classes": [words.name(each) for each in facts.classes],
        "split": facts.split,
        "teacher": facts.teacher,
        "overlap": overlap_sentence(facts.teacher),
        "student": facts.student,
        "cost": tables.cost_rows(facts.student),
        "curves": charts.learning_curves(
            facts.events, compared.auroc["value"] if compared else None
        ),
        "stages": stage_tables(facts.alignment),
        "stages_words": stages_in_words(facts.alignment),
        "stages_explained": EXPLAINED,
        "probe": (facts.teacher.get("probe") or {}).get("cross_validated"),
        "validation": _section(facts.validation, "validation"),
        "test": _section(facts.test, "test"),
        "temperature": words.temperature_in_words(facts.temperature) if facts.temperature else "",
        "comparisons": _comparisons(facts),
        "openings": [(words.moment(o.get("ts")), o.get("run")) for o in facts.openings],
        "parity": facts.parity,
        "alerts": tables.alert_rows(facts.events),
        "limits": _limits(facts),
        "settings": tables.settings_rows(facts.config),
        "environment": tables.environment_rows(facts.environment),
        "training_time": _training_time(facts),
        "hashes": _hashes(facts),
        "extended": words.extension(facts.origin, facts.config.train.epochs),
        "command": _command(facts),
    }


def _question(facts: Facts, method: str) -> str:
    """What was asked, in one paragraph."""
    student = facts.student.get("title") or facts.config.student.name
    classes = [f"“{words.name(each)}”" for each in facts.classes]
    shown = classes if len(classes) <= 6 else [*classes[:5], f"{len(classes) - 5} more"]
    told = ", ".join(shown[:-1]) + f" and {shown[-1]}" if len(shown) > 1 else "".join(shown)
    multilabel = facts.dataset.get("task") == "multilabel"
    asked = f"find {told} in an image" if multilabel else f"tell {told} apart"
    images = facts.images[facts.images["code"] == ""] if not facts.images.empty else facts.images
    data = (
        f" on {words.count(len(images), 'usable image')} of "
        f"{words.count(int(images['patient'].nunique()), 'patient')}"
        if len(images)
        else ""
    )
    known = METHODS.get(facts.config.method.name)
    teacher = words.name(facts.teacher.get("title") or "named in the settings")
    taught = (
        f" by {method} from the teacher {teacher}"
        if known is None or known.needs_teacher
        else " from the labels alone"
    )
    return (
        f"Can a small network, {student}, learn to {asked or 'classify these images'}? It was "
        f"trained{data}{taught}. Patients, not images, were divided, and before anything was "
        "trained."
    )


def _section(evaluation: Json | None, split: str) -> dict[str, Any] | None:
    """Everything the page shows about one split."""
    if evaluation is None:
        return None
    auroc = evaluation["figures"]["auroc"]
    return {
        "split": split,
        "value": words.of_measure(auroc["value"], "auroc"),
        "interval": words.interval(auroc, "auroc"),
        "level": words.level(evaluation["confidence"]),
        "words": words.auroc_in_words(evaluation, split),
        "small": words.smallness(evaluation, split),
        "positive": words.name(evaluation["positive"]) if evaluation.get("positive") else "",
        "resamples": evaluation["resamples"],
        "rows": tables.figure_rows(evaluation),
        "methods": tables.methods_used(evaluation),
        "thresholds": tables.threshold_rows(evaluation),
        "roc": charts.roc_charts(evaluation),
        "confusion": tables.confusion_tables(evaluation),
        "calibration": [
            (drawing, words.calibration_in_words(found))
            for drawing, found in zip(
                charts.calibration_charts(evaluation), evaluation["calibration"], strict=True
            )
        ],
    }


def _comparisons(facts: Facts) -> list[dict[str, Any]]:
    """The models beside each other, on validation and, once opened, on test."""
    own = facts.config.method.name
    found = []
    for split, figures in (("validation", facts.validation), ("test", facts.test)):
        if figures is None:
            continue
        level = figures["confidence"]
        rows = [("Student (this run)", figures["figures"]["auroc"])]
        teacher = facts.teacher_beside.get(split)
        if teacher:
            rows.append(("Teacher with a linear probe", teacher.auroc))
        beside = {name: each for name, each in facts.companions.items() if each.get(split)}
        for name, each in beside.items():
            rows.append((_trained(name), each[split]["figures"]["auroc"]))
        sentences = []
        if teacher:
            sentences.append(
                words.comparison(teacher.difference, "The student", "the probed teacher", level)
            )
        for name, each in beside.items():
            if paired := (each.get("difference") or {}).get(split):
                mine = words.opening(words.student_by(own))
                sentences.append(words.comparison(paired, mine, words.student_by(name), level))
        if len(beside) > 1:
            sentences.append(MANY)
        if len(rows) > 1 or sentences:
            chart = charts.forest(rows, level, split)
            found.append({"split": split, "chart": chart, "sentences": sentences})
    return found


def _trained(method: str) -> str:
    return "Student trained alone" if method == STUDENT_ONLY else METHODS[method].title


def _limits(facts: Facts) -> list[str]:
    """What a careful reader should hold against these figures."""
    limits = [
        small
        for split, figures in (("validation", facts.validation), ("test", facts.test))
        if (small := words.smallness(figures, split))
    ]
    if facts.dataset.get("synthetic"):
        limits.append("The images are synthetic. These figures say nothing about patients.")
    if not facts.images.empty and (facts.images["patient_source"] == "image").any():
        limits.append(
            "For some images the patient is not known and each counts as a patient of its own: "
            "the same patient may be in two parts, and the intervals may be too narrow."
        )
    if facts.validation:
        limits.append(
            "Validation chose the epoch and the threshold, so its figures flatter the student a "
            "little. Only the test set, opened once, is free of that."
        )
    if len(facts.openings) > 1:
        limits.append(
            f"The test set was opened {len(facts.openings)} times. Every look after the first "
            "makes its figures a little less trustworthy."
        )
    return [
        *limits,
        "There is no external validation: other scanners, sites, and mixes of patients may give "
        "worse figures. Predictive values hold only at the prevalence of these images.",
        "The intervals show chance between patients. They do not show chance in training; "
        "another seed gives another student.",
        "No figures are given by sex, age, site or scanner, because these are not kept.",
        "Research use only. Not for diagnosis. This is not a medical device.",
    ]


def _command(facts: Facts) -> str:
    """What repeats the run."""
    if facts.origin:
        passes = facts.config.train.epochs - facts.origin.passes
        return f"python launch.py extend {facts.origin.run} --epochs {passes}"
    return f"python launch.py run workspace/runs/{facts.run_id}/config.json"


def _training_time(facts: Facts) -> str:
    """How long the attempts took together."""
    longest: dict[int, float] = {}
    for event in facts.events:
        attempt = event.get("attempt", 0)
        longest[attempt] = max(longest.get(attempt, 0.0), event.get("elapsed_s") or 0.0)
    worked = {attempt: spent for attempt, spent in longest.items() if attempt > 0}
    if not worked:
        return ""
    return f"{words.duration(sum(worked.values()))} in {words.count(len(worked), 'attempt')}"


def _hashes(facts: Facts) -> list[tuple[str, str]]:
    found = [
        ("Configuration", facts.config.sha256),
        ("Data", facts.dataset.get("sha256")),
        ("Split", facts.split.get("sha256")),
        ("Teacher", facts.teacher.get("sha256")),
    ]
    return [(title, words.plain(value, 64)) for title, value in found if value]
