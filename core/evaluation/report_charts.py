"""The report's figures: learning curves, ROC, calibration, and the models beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from core.evaluation.report_svg import STYLES, Axis, Chart, nice_axis, tight_axis, unit_axis
from core.evaluation.report_words import level, name
from core.runs.events import CurvePoint, Event, curve

POINTS = 60  # of a curve; a step-wise loss is averaged to this many
PER_ROC = 4  # curves that can be told apart in one frame
Json = Mapping[str, Any]

LOSSES = {
    "loss": "all terms, weighted",
    "loss/task": "student against the labels",
    "loss/hybrid": "reprogrammed teacher against the labels",
    "loss/agreement": "student against the reprogrammed teacher",
    "loss/cka": "similarity of features (CKA)",
    "loss/kd": "student against the teacher's probe",
    "loss/dist": "ranking of classes and images by the teacher's probe",
    "loss/hint": "error in predicting the teacher's features",
    "loss/guidance": "error in predicting the teacher's features, stage by stage",
    "loss/sp": "which images look alike",
    "loss/rkd_distance": "distances between images",
    "loss/rkd_angle": "angles between images",
    "validation/loss": "validation",
}
CKAS = {
    "cka/reprogrammed": "with the reprogrammed teacher",
    "cka/teacher": "with the teacher itself",
}


HOW_TO_READ = " On the thin diagonal, what is predicted at 0.8 comes true 8 times in 10."


@dataclass(frozen=True)
class Drawing:
    """A chart with its legend and its caption.

    Attributes:
        svg: The chart.
        legend: Line style (1 to 6) and name of each curve; empty when there is only one.
        title: First words of the caption.
        caption: What it shows and how to read it.
        wide: Whether it takes the width of the page.
    """

    svg: Markup
    legend: list[tuple[int, str]]
    title: str
    caption: str
    wide: bool = False


def learning_curves(events: list[Event], probe: float | None) -> list[Drawing]:
    """Loss terms, validation AUROC and both CKA curves, as far as they were recorded.

    Args:
        events: The run's events.
        probe: AUROC of the linear-probed teacher on validation, drawn as a reference.
    """
    drawn = [_losses(events), _validation_auroc(events, probe), _agreement(events)]
    return [each for each in drawn if each is not None]


def _losses(events: list[Event]) -> Drawing | None:
    curves = [
        (text, _averaged(found)) for key, text in LOSSES.items() if (found := curve(events, key))
    ]
    curves = [(text, points) for text, points in curves if points[0]]
    if not curves:
        return None
    drawing = _lines(curves, "Loss", "Loss", None, width=820.0)
    return Drawing(
        drawing.svg,
        drawing.legend,
        "Loss terms",
        "Training terms are shown before weighting, averaged over short stretches; lower is "
        "better. The validation curve rising while training falls means the student is learning "
        "its training images by heart.",
        wide=True,
    )


def _validation_auroc(events: list[Event], probe: float | None) -> Drawing | None:
    xs, ys = _finite(curve(events, "validation/auroc"))
    if not xs:
        return None
    best = int(np.argmax(ys))
    low = min([*ys, 0.5 if probe is None else probe])
    start = 0.5 if low >= 0.5 else max(0.0, np.floor(low * 10) / 10)
    told = f"{ys[0]:.3f} at epoch {xs[0]:.0f}, best {ys[best]:.3f} at epoch {xs[best]:.0f}"
    chart = Chart(
        _epochs(xs), unit_axis("AUROC", float(start)), "Validation AUROC over training", told
    )
    legend: list[tuple[int, str]] = []
    if probe is not None:
        chart.line([chart.x.low, chart.x.high], [probe, probe], "line s2")
        legend = [(1, "student"), (2, f"teacher with a linear probe, {probe:.3f}")]
    chart.line(xs, ys, "line s1")
    chart.dots([xs[best]], [ys[best]], "ring s1", 5)
    return Drawing(
        chart.render(),
        legend,
        "Validation AUROC",
        f"The ring marks the epoch that was kept (epoch {xs[best]:.0f}, {ys[best]:.3f}). It was "
        "chosen because it is the highest, so it flatters a little; the test set is free of that.",
    )


def _agreement(events: list[Event]) -> Drawing | None:
    curves = [(text, _finite(found)) for key, text in CKAS.items() if (found := curve(events, key))]
    curves = [(text, points) for text, points in curves if points[0]]
    if not curves:
        return None
    lowest = min(0.0, *(min(ys) for _, (_, ys) in curves))
    axis = unit_axis("CKA") if lowest == 0.0 else nice_axis(lowest, 1.0, "CKA")
    drawing = _lines(curves, "Similarity of features", "CKA", axis)
    return Drawing(
        drawing.svg,
        drawing.legend,
        "Agreement of the student's features",
        "Unbiased CKA on clean validation images: 1 is the same structure, 0 none. Likeness with "
        "the reprogrammed teacher can rise because both adapt to each other; likeness with the "
        "teacher itself cannot be raised that way, and is the one to believe.",
    )


def _lines(
    curves: Sequence[tuple[str, tuple[list[float], list[float]]]],
    title: str,
    label: str,
    axis: Axis | None,
    width: float = 380.0,
) -> Drawing:
    everything = [value for _, (_, ys) in curves for value in ys]
    vertical = axis or nice_axis(min([*everything, 0.0]), max(everything), label)
    horizontal = _epochs([value for _, (xs, _) in curves for value in xs])
    told = "; ".join(f"{text}: from {ys[0]:.3f} to {ys[-1]:.3f}" for text, (_, ys) in curves)
    chart = Chart(horizontal, vertical, title, told, width)
    legend = []
    for place, (text, (xs, ys)) in enumerate(curves):
        style = place % STYLES + 1
        chart.line(xs, ys, f"line s{style}")
        if len(xs) == 1:
            chart.dots(xs, ys, f"dot s{style}")
        legend.append((style, text))
    return Drawing(chart.render(), legend, title, "")


def _epochs(xs: Sequence[float]) -> Axis:
    return tight_axis(0.0, max([*xs, 1.0]), "Epoch")


def _finite(points: list[CurvePoint]) -> tuple[list[float], list[float]]:
    kept = [(point.epoch, point.value) for point in points if point.value is not None]
    return [epoch for epoch, _ in kept], [value for _, value in kept]


def _averaged(points: list[CurvePoint]) -> tuple[list[float], list[float]]:
    """Means over at most `POINTS` consecutive stretches."""
    xs, ys = _finite(points)
    if len(xs) <= POINTS:
        return xs, ys
    parts = [np.array_split(np.asarray(values), POINTS) for values in (xs, ys)]
    return [float(p.mean()) for p in parts[0]], [float(p.mean()) for p in parts[1]]


def roc_charts(evaluation: Json) -> list[Drawing]:
    """ROC curves with their operating points, a few classes to a frame."""
    curves = evaluation["roc"]
    frames = [curves[start : start + PER_ROC] for start in range(0, len(curves), PER_ROC)]
    return [_roc(frame, level(evaluation["confidence"])) for frame in frames]


def _roc(curves: Sequence[Json], confidence: str) -> Drawing:
    told, legend = [], []
    chart = _square("1 − specificity", "Sensitivity", "ROC curve", "")
    for place, found in enumerate(curves):
        style = place + 1
        chart.line(found["false_positive_rate"], found["sensitivity"], f"line s{style}")
        if found["operating"] is not None:
            wrong, right = found["operating"]
            chart.dots([wrong], [right], f"ring s{style}", 5)
            told.append(
                f"{name(found['name'])}: sensitivity {right:.2f} at 1 − specificity {wrong:.2f}"
            )
        legend.append((style, name(found["name"])))
    chart.description = "; ".join(told) or "no operating point"
    return Drawing(
        chart.render(),
        legend if len(legend) > 1 else [],
        "ROC curve" + (f" of “{legend[0][1]}”" if len(legend) == 1 else "s"),
        "The ring is the operating point: the threshold chosen on validation and frozen. The "
        f"thin diagonal is guessing. The {confidence} intervals stand in the table.",
    )


def calibration_charts(evaluation: Json) -> list[Drawing]:
    """Observed share against predicted probability, with intervals."""
    return [
        _calibration(found, evaluation, first=place == 0)
        for place, found in enumerate(evaluation["calibration"])
    ]


def _calibration(found: Json, evaluation: Json, *, first: bool) -> Drawing:
    bins = found["bins"]
    told = "; ".join(f"predicted {b['predicted']:.2f}, observed {b['observed']:.2f}" for b in bins)
    chart = _square("Predicted probability", "Observed share", "Calibration", told)
    for each in bins:
        chart.whisker(each["predicted"], each["low"], each["high"], "whisker s1")
    chart.line([b["predicted"] for b in bins], [b["observed"] for b in bins], "line s1")
    chart.dots([b["predicted"] for b in bins], [b["observed"] for b in bins], "dot s1")
    least = min(each["images"] for each in bins)
    return Drawing(
        chart.render(),
        [],
        f"Calibration of the probability of {_quoted(found['of'])}",
        f"Each point holds about {least} images; whiskers are {level(evaluation['confidence'])} "
        f"intervals.{HOW_TO_READ if first else ''}",
    )


def _quoted(of: str) -> str:
    return of if of == "the predicted class" else f"“{name(of)}”"


def _square(x: str, y: str, title: str, told: str) -> Chart:
    chart = Chart(unit_axis(x), unit_axis(y), title, told, width=380.0, height=372.0)
    chart.line([0, 1], [0, 1], "diagonal")
    return chart


def forest(rows: Sequence[tuple[str, Json]], confidence: float, split: str) -> Drawing:
    """AUROC of several models with intervals, one below the other.

    Args:
        rows: Name and figure of each model; figures without a value are left out.
        confidence: Level of the intervals.
        split: The images they were measured on.
    """
    shown = [(text, figure) for text, figure in rows if figure.get("value") is not None]
    lows = [figure["value"] if figure["low"] is None else figure["low"] for _, figure in shown]
    low = min([*lows, 0.5])
    start = 0.5 if low >= 0.5 else max(0.0, np.floor(low * 10) / 10)
    axis = unit_axis("AUROC", float(start))
    width, left, right, pitch = 760.0, 250.0, 190.0, 34.0
    height = pitch * len(shown) + 50
    span = width - left - right
    body = [Markup('<path class="axis" d="M{} {}h{}"/>').format(left, height - 38, span)]
    for tick in axis.ticks:
        at = f"{left + axis.place(tick) * span:.1f}"
        body.append(
            Markup(
                '<path class="grid" d="M{x} 4V{y}"/>'
                '<text class="tick" x="{x}" y="{t}" text-anchor="middle">{v}</text>'
            ).format(x=at, y=height - 38, t=height - 20, v=f"{tick:.1f}")
        )
    body.append(
        Markup('<text class="name" x="{}" y="{}" text-anchor="middle">AUROC</text>').format(
            left + span / 2, height - 3
        )
    )
    for place, (text, figure) in enumerate(shown):
        body.append(_forest_row(text, figure, axis, (left, span, pitch * place + 22), place))
    told = "; ".join(f"{text} {figure['value']:.3f}" for text, figure in shown)
    svg = Markup(
        '<svg class="chart wide" viewBox="0 0 {} {}" role="img" aria-label="{}" '
        'xmlns="http://www.w3.org/2000/svg">{}</svg>'
    ).format(f"{width:g}", f"{height:g}", f"AUROC side by side. {told}", Markup("").join(body))
    return Drawing(
        svg,
        [],
        f"Models side by side on {split}",
        f"AUROC on the same images with {level(confidence)} intervals over patients. Overlapping "
        "intervals do not answer whether two models differ; the paired differences below do.",
    )


def _forest_row(
    text: str, figure: Json, axis: Axis, frame: tuple[float, float, float], place: int
) -> Markup:
    left, span, y = frame
    at = left + axis.place(figure["value"]) * span
    bar, limits = Markup(""), ""
    if figure["low"] is not None and figure["high"] is not None:
        low, high = (left + axis.place(figure[end]) * span for end in ("low", "high"))
        path = f"M{low:.1f} {y:.1f}H{high:.1f}M{low:.1f} {y - 4:.1f}v8M{high:.1f} {y - 4:.1f}v8"
        bar = Markup('<path class="whisker s{}" d="{}"/>').format(place % STYLES + 1, path)
        limits = f" ({figure['low']:.3f} to {figure['high']:.3f})"
    return Markup(
        '<text class="row" x="0" y="{base}">{text}</text>{bar}'
        '<circle class="dot s{style}" cx="{at}" cy="{y}" r="5"/>'
        '<text class="row" x="{end}" y="{base}">{value}</text>'
    ).format(
        base=f"{y + 4.5:.1f}",
        text=text,
        bar=bar,
        style=place % STYLES + 1,
        at=f"{at:.1f}",
        y=f"{y:.1f}",
        end=left + span + 18,
        value=f"{figure['value']:.3f}{limits}",
    )
