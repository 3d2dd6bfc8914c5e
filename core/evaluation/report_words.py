"""Numbers and sentences of the report: calm, exact, and never more certain than the data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.objectives.methods import METHODS
from core.runs.companion import STUDENT_ONLY
from core.runs.extend import Origin
from core.types import Task

NARROW = "\u202f"  # narrow no-break space: before %, between digits and unit
DASH = "–"
NAME_LENGTH = 48
TEXT_LENGTH = 600
FEW_PATIENTS = 30
WIDE_INTERVAL = 0.2
# Characters that hide, reorder or end text: controls and bidirectional overrides.
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")

MEASURES = {
    "auroc": "AUROC",
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "brier": "Brier score (lower is better)",
}
PERCENTAGES = {"balanced_accuracy", "accuracy", "sensitivity", "specificity", "ppv", "npv"}

FigureDict = Mapping[str, Any]


def plain(text: object, length: int = TEXT_LENGTH) -> str:
    """`text` without control and direction characters, cut to `length` characters."""
    cleaned = seen(text).strip()
    return cleaned if len(cleaned) <= length else cleaned[: length - 1] + "…"


def seen(text: object) -> str:
    """`text` with every control and direction character as a space."""
    return UNSEEN.sub(" ", str(text))


def name(text: object) -> str:
    """A class, finding or run name as it may stand in a line."""
    return plain(text, NAME_LENGTH)


def opening(text: str) -> str:
    """`text` with a capital first letter; the rest, which may hold names, as it is."""
    return text[:1].upper() + text[1:]


def number(value: float | int) -> str:
    """A whole number with thousands apart: ``12 400``."""
    return f"{value:,.0f}".replace(",", NARROW)


def percent(value: float) -> str:
    """A share as a percentage: ``92.1 %``."""
    return f"{100 * value:.1f}{NARROW}%"


def of_measure(value: float | None, measure: str) -> str:
    """A figure in the form its measure is usually read: ``92.1 %`` or ``0.931``."""
    if value is None:
        return "not computable"
    return percent(value) if measure in PERCENTAGES else f"{value:.3f}"


def interval(figure: FigureDict, measure: str) -> str:
    """The limits of a figure: ``0.842 to 0.927``, or a dash."""
    low, high = figure.get("low"), figure.get("high")
    if low is None or high is None:
        return "—"
    if measure in PERCENTAGES:
        return f"{100 * low:.1f} to {percent(high)}"
    return f"{low:.3f} to {high:.3f}".replace("-", "−")


def signed(value: float) -> str:
    """A difference with its sign: ``+0.031``."""
    return f"{value:+.3f}".replace("-", "−")


def power(value: float) -> str:
    """A small number as ``3.1 × 10⁻⁷``."""
    if value == 0:
        return "0"
    digits, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits.removesuffix('.0')} × 10{raised}"


def level(confidence: float) -> str:
    """A confidence level: ``95 %``."""
    return f"{100 * confidence:.4g}{NARROW}%"


def count(amount: int, singular: str, plural: str = "") -> str:
    """``1 image``, ``12 images``."""
    return f"{number(amount)} {singular if amount == 1 else plural or singular + 's'}"


def moment(stamp: object) -> str:
    """An ISO time stamp as ``2026-11-20 13:19 UTC``; what is none comes back as it is."""
    try:
        when = datetime.fromisoformat(str(stamp))
    except ValueError:
        return plain(stamp, 40)
    zone = when.tzname() or "local time"
    return f"{when:%Y-%m-%d %H:%M} {zone}"


def duration(seconds: float) -> str:
    """``48 s``, ``12 min 5 s``, ``3 h 20 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{NARROW}s"
    if whole < 3600:
        return f"{whole // 60}{NARROW}min {whole % 60}{NARROW}s"
    return f"{whole // 3600}{NARROW}h {whole % 3600 // 60}{NARROW}min"


def auroc_in_words(evaluation: Mapping[str, Any], split: str) -> str:
    """What the AUROC of an evaluation and its interval mean."""
    figure = evaluation["figures"]["auroc"]
    base = (
        f"{count(evaluation['images'], split + ' image')} of "
        f"{count(evaluation['patients'], 'patient')}"
    )
    if figure["value"] is None:
        return f"On {base} the AUROC is {plain(figure['note'])}."
    if evaluation.get("positive"):
        pairs = f"an image of “{name(evaluation['positive'])}” above one of the other class"
    elif evaluation["task"] == Task.MULTILABEL:
        pairs = "an image with a finding above one without (average over the findings)"
    else:
        pairs = "an image of a class above one of the rest (average over the classes)"
    sentence = f"On {base}, the student ranks {pairs} in {100 * figure['value']:.0f} of 100 pairs."
    if figure["low"] is None:
        return f"{sentence} {opening(plain(figure['note']))}."
    return (
        f"{sentence} Drawing other patients of the same kind could as well have given "
        f"{figure['low']:.2f} to {figure['high']:.2f} ({level(evaluation['confidence'])} interval)."
    )


def smallness(evaluation: Mapping[str, Any] | None, split: str) -> str:
    """A sentence that admits few patients or a wide interval, or ``""``."""
    if not evaluation:
        return ""
    figure = evaluation["figures"]["auroc"]
    patients = evaluation["patients"]
    few = patients < FEW_PATIENTS
    low, high = figure.get("low"), figure.get("high")
    wide = low is not None and high is not None and high - low > WIDE_INTERVAL
    least = min(evaluation["class_patients"].values(), default=0)
    scarce = least < FEW_PATIENTS / 3
    if not (few or wide or scarce):
        return ""
    reasons = []
    if few:
        reasons.append(f"the {split} figures rest on {count(patients, 'patient')} only")
    if scarce:
        reasons.append(f"the rarest class has {count(least, 'patient')} in {split}")
    if wide:
        reasons.append(f"the interval of the {split} AUROC is {high - low:.2f} wide")
    told = _joined(reasons)
    return (
        f"{opening(told)}. That is too little to say how well this student works; "
        "read the figures as a first sign, and the intervals rather than the values."
    )


def comparison(figure: FigureDict, first: str, second: str, confidence: float) -> str:
    """What a paired difference of AUROC (`first` minus `second`) does and does not say."""
    value, low, high = figure.get("value"), figure.get("low"), figure.get("high")
    if value is None:
        return f"{first} and {second} cannot be compared: {plain(figure.get('note', ''))}."
    told = f"{first} minus {second}: {signed(value)} AUROC"
    if low is None or high is None:
        return f"{told}; {plain(figure.get('note', ''))}."
    told += f" ({level(confidence)} interval {signed(low)} to {signed(high)})."
    if low > 0:
        return (
            f"{told} On these patients {first} is better by more than chance between patients "
            "explains. It is one training run of each; another seed may move the difference."
        )
    if high < 0:
        return (
            f"{told} On these patients {first} is worse by more than chance between patients "
            "explains. It is one training run of each; another seed may move the difference."
        )
    return (
        f"{told} The interval includes zero: these patients cannot tell the two apart, which is "
        f"not the same as the two being equal. {first} may be anything from "
        f"{abs(low):.3f} worse to {high:.3f} better."
    )


def student_by(method: str) -> str:
    """The student that a method trained: ``the student by Deep Reprogramming Distillation``."""
    if method == STUDENT_ONLY:
        return "the student alone"
    return f"the student by {METHODS[method].title if method in METHODS else plain(method, 40)}"


def verdict(
    names: tuple[str, str],
    areas: tuple[float, float],
    paired: FigureDict,
    confidence: float,
) -> str:
    """Two AUROCs on the same images, their paired difference, and whether it is more than chance.

    Args:
        names: Of the two methods.
        areas: AUROC of each.
        paired: The first minus the second, with its limits.
        confidence: Level of the interval.
    """
    first, second = names
    if paired.get("value") is None:
        return f"{first} and {second} cannot be compared: {plain(paired.get('note', ''))}."
    told = f"{first} {areas[0]:.2f}, {second} {areas[1]:.2f}; difference {_two(paired['value'])}"
    low, high = paired.get("low"), paired.get("high")
    if low is None or high is None:
        return f"{told}; {plain(paired.get('note', ''))}."
    told += f" ({level(confidence)} interval {_two(low)} to {_two(high)})"
    if low > 0 or high < 0:
        better = first if low > 0 else second
        return (
            f"{told}: more than chance on these images; {better} is better. It is one training of "
            "each, and another seed may move the difference."
        )
    return (
        f"{told}: not more than chance on these images, which is not the same as the two being "
        "equal."
    )


def _two(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def extension(origin: Origin | None, passes: int) -> str:
    """Where an extended run began and what that means; empty for a run from the start."""
    if origin is None:
        return ""
    before, total = (count(each, "pass", "passes") for each in (origin.passes, passes))
    return (
        f"This run goes on from run {origin.run}, whose weights and optimiser it took over after "
        f"{before} (step {number(origin.step)}). The learning rate and the weights of the loss "
        f"terms were planned anew for {total} in all, so the rate rises at the seam. The curves "
        "show both runs, and the epoch that was kept is the best of both."
    )


def calibration_in_words(found: Mapping[str, Any]) -> str:
    """What a calibration error says, given what chance alone would show."""
    share = f"expected calibration error {found['error']:.3f}"
    reference = (
        f"perfectly calibrated probabilities would show {found['reference']:.3f} on average and "
        f"up to {found['reference_high']:.3f} in 95 of 100 such samples"
    )
    verdict = (
        "so nothing here speaks against the probabilities"
        if found["error"] <= found["reference_high"]
        else "so the probabilities should not be taken at face value"
    )
    return (
        f"{opening(share)} over {len(found['bins'])} bins of "
        f"{number(found['images'])} images; {reference}, {verdict}."
    )


def temperature_in_words(temperature: float) -> str:
    """What the temperature fitted on validation says."""
    if 0.9 <= temperature <= 1.1:
        verdict = "the probabilities are about as extreme as they should be"
    elif temperature > 1.1:
        verdict = "the probabilities are more extreme than the data justify"
    else:
        verdict = "the probabilities are more timid than they need be"
    return (
        f"A temperature fitted on validation would be {temperature:.2f} (1 changes nothing): "
        f"{verdict}. It is shown only; the exported student does not use it."
    )


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
