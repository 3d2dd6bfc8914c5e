"""The import report's figures: the balance of the classes, and what gives the label away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from core.evaluation.report_charts import Drawing
from core.evaluation.report_svg import Axis, tight_axis, unit_axis
from core.evaluation.report_words import count, name, number, percent

WIDTH, LEFT, RIGHT = 760.0, 190.0, 190.0
PITCH = 34.0
SHOWN = 30  # classes drawn; the table has all
Json = Mapping[str, Any]


def class_balance(classes: Sequence[Json]) -> Drawing | None:
    """Images of each class as bars, its patients as a mark on them."""
    shown = classes[:SHOWN]
    most = max((each["images"] for each in shown), default=0)
    if not most:
        return None
    axis = tight_axis(0.0, float(most), "Images")
    body = [_scale(axis, len(shown), "0f")]
    for place, each in enumerate(shown):
        body.append(_bar(each, axis, PITCH * place + 8))
    told = "; ".join(f"{name(each['name'])} {each['images']}" for each in shown)
    more = f" {len(classes) - SHOWN} further classes stand in the table." if classes[SHOWN:] else ""
    return Drawing(
        _svg(len(shown), f"Images by class. {told}", body),
        [],
        "Balance of the classes",
        "The bar is the number of images, the ring on it the number of patients; bars of unequal "
        f"length are no fault, but the shortest decides how sure the figures can be.{more}",
    )


def _bar(each: Json, axis: Axis, top: float) -> Markup:
    long = max(1.0, axis.place(each["images"]) * _span())
    ring = LEFT + axis.place(each["patients"]) * _span()
    words = f"{number(each['images'])} ({percent(each['share'])})"
    return Markup(
        '<text class="row" x="0" y="{base}">{label}</text>'
        '<rect class="dot s1" x="{left}" y="{top}" width="{long}" height="16" rx="2"/>'
        '<circle class="ring s2" cx="{ring}" cy="{middle}" r="5"/>'
        '<text class="row" x="{end}" y="{base}">{words}</text>'
    ).format(
        base=f"{top + 12.5:.1f}",
        label=_cut(each["name"]),
        left=f"{LEFT:.1f}",
        top=f"{top:.1f}",
        long=f"{long:.1f}",
        ring=f"{ring:.1f}",
        middle=f"{top + 8:.1f}",
        end=f"{WIDTH - RIGHT + 18:.1f}",
        words=words,
    )


def shortcut_chart(shortcuts: Sequence[Json], limit: float) -> Drawing | None:
    """AUROC of each set of traits with its interval, and the line above which it is a warning."""
    shown = [each for each in shortcuts if each["value"] is not None]
    if not shown:
        return None
    lowest = min(min(each["value"], each["low"] or each["value"]) for each in shown)
    axis = unit_axis("AUROC", 0.5 if lowest >= 0.5 else 0.2 if lowest >= 0.2 else 0.0)
    at = f"{LEFT + axis.place(limit) * _span():.1f}"
    foot = PITCH * len(shown) + 4
    line = Markup('<path class="line s2" d="M{at} 0V{foot}"/>').format(at=at, foot=foot)
    body = [_scale(axis, len(shown), "1f"), line]
    for place, each in enumerate(shown):
        body.append(_interval(each, axis, PITCH * place + 16))
    told = "; ".join(f"{each['title']} {each['value']:.2f}" for each in shown)
    counts = f"{count(shown[0]['images'], 'image')} of {count(shown[0]['patients'], 'patient')}"
    return Drawing(
        _svg(len(shown), f"How well traits predict the label. {told}", body),
        [],
        "What predicts the label without the anatomy",
        f"AUROC on patients not seen in training, with 95 % intervals over patients ({counts}); "
        f"0.5 is chance. Right of the dashed line at {limit} a trait counts as a warning.",
    )


def _interval(each: Json, axis: Axis, y: float) -> Markup:
    style = 2 if each["warning"] else 1
    low = each["value"] if each["low"] is None else each["low"]
    high = each["value"] if each["high"] is None else each["high"]
    ends = [LEFT + axis.place(value) * _span() for value in (low, high, each["value"])]
    limits = "" if each["low"] is None else f" ({low:.2f} to {high:.2f})"
    mark = " !" if each["warning"] else ""
    return Markup(
        '<text class="row" x="0" y="{base}">{label}</text>'
        '<path class="whisker s{style}" d="M{low} {y}H{high}M{low} {up}v8M{high} {up}v8"/>'
        '<circle class="dot s{style}" cx="{at}" cy="{y}" r="5"/>'
        '<text class="row" x="{end}" y="{base}">{words}</text>'
    ).format(
        base=f"{y + 4.5:.1f}",
        label=_cut(each["title"]),
        style=style,
        low=f"{ends[0]:.1f}",
        high=f"{ends[1]:.1f}",
        at=f"{ends[2]:.1f}",
        y=f"{y:.1f}",
        up=f"{y - 4:.1f}",
        end=f"{WIDTH - RIGHT + 18:.1f}",
        words=f"{each['value']:.2f}{limits}{mark}",
    )


def _scale(axis: Axis, rows: int, form: str) -> Markup:
    """Grid, ticks and the axis' name below the rows."""
    foot = PITCH * rows + 4
    parts = [Markup('<path class="axis" d="M{} {}h{}"/>').format(LEFT, foot, _span())]
    for tick in axis.ticks:
        parts.append(
            Markup(
                '<path class="grid" d="M{x} 0V{y}"/>'
                '<text class="tick" x="{x}" y="{t}" text-anchor="middle">{v}</text>'
            ).format(
                x=f"{LEFT + axis.place(tick) * _span():.1f}",
                y=foot,
                t=foot + 18,
                v=number(tick) if form == "0f" else f"{tick:.1f}",
            )
        )
    parts.append(
        Markup('<text class="name" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            LEFT + _span() / 2, foot + 35, axis.label
        )
    )
    return Markup("").join(parts)


def _svg(rows: int, label: str, body: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="chart wide" viewBox="0 0 {} {}" role="img" aria-label="{}" '
        'xmlns="http://www.w3.org/2000/svg">{}</svg>'
    ).format(f"{WIDTH:g}", f"{PITCH * rows + 42:g}", label, Markup("").join(body))


def _span() -> float:
    return WIDTH - LEFT - RIGHT


def _cut(text: object) -> str:
    told = name(text)
    return told if len(told) <= 26 else told[:25] + "…"
