"""Small charts drawn as SVG: no script, crisp on paper, coloured by the page's style sheet.

Why not plotly here: its script would add 4.8 MB to every report and need scripts allowed, prints at
a fixed size and does not follow the page's light and dark colours. These charts are a few kilobytes
and can be read wherever a page can be shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from markupsafe import Markup

LEFT, RIGHT, TOP, BOTTOM = 46.0, 14.0, 26.0, 40.0
STYLES = 6  # line styles in the style sheet: colour and dash pattern together


@dataclass(frozen=True)
class Axis:
    """One axis: its range and where its ticks stand.

    Attributes:
        low: Value at the start.
        high: Value at the end; above `low`.
        ticks: Values marked.
        label: What it shows, with its unit.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    label: str

    def place(self, value: float) -> float:
        """Where `value` lies, 0 at the start and 1 at the end; clipped to the axis."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


@dataclass
class Chart:
    """A chart under construction. Coordinates given are values; they become pixels here.

    Args:
        x: Horizontal axis.
        y: Vertical axis.
        title: What it is, for screen readers.
        description: What it shows, in words, for screen readers.
        width: Width of the drawing in CSS pixels.
        height: Height of the drawing.
    """

    x: Axis
    y: Axis
    title: str
    description: str
    width: float = 380.0
    height: float = 262.0
    parts: list[Markup] = field(default_factory=list)

    def line(self, xs: Sequence[float], ys: Sequence[float], kind: str) -> None:
        """A line through the points; `kind` is its class in the style sheet."""
        points = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in zip(xs, ys, strict=True))
        self.parts.append(Markup('<polyline class="{}" points="{}"/>').format(kind, points))

    def dots(self, xs: Sequence[float], ys: Sequence[float], kind: str, radius: float = 3) -> None:
        """A dot at each point."""
        for x, y in zip(xs, ys, strict=True):
            self.parts.append(
                Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>').format(
                    kind, f"{self._x(x):.1f}", f"{self._y(y):.1f}", radius
                )
            )

    def whisker(self, x: float, low: float, high: float, kind: str) -> None:
        """A vertical interval with short ends."""
        at, foot, head = self._x(x), self._y(low), self._y(high)
        path = (
            f"M{at:.1f} {foot:.1f}V{head:.1f}M{at - 3:.1f} {foot:.1f}h6M{at - 3:.1f} {head:.1f}h6"
        )
        self.parts.append(Markup('<path class="{}" d="{}"/>').format(kind, path))

    def label(self, x: float, y: float, text: str, anchor: str = "start") -> None:
        """A few words beside a point, pushed inside the frame."""
        place = min(max(self._x(x), LEFT + 4), self.width - RIGHT - 4)
        self.parts.append(
            Markup('<text class="note" x="{}" y="{}" text-anchor="{}">{}</text>').format(
                f"{place:.1f}", f"{self._y(y):.1f}", anchor, text
            )
        )

    def render(self) -> Markup:
        """The chart as one ``<svg>`` element."""
        return Markup(
            '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-label="{label}" '
            'xmlns="http://www.w3.org/2000/svg">{frame}{body}</svg>'
        ).format(
            w=f"{self.width:g}",
            h=f"{self.height:g}",
            label=f"{self.title}. {self.description}",
            frame=self._frame(),
            body=Markup("").join(self.parts),
        )

    def _x(self, value: float) -> float:
        return LEFT + self.x.place(value) * (self.width - LEFT - RIGHT)

    def _y(self, value: float) -> float:
        return self.height - BOTTOM - self.y.place(value) * (self.height - TOP - BOTTOM)

    def _frame(self) -> Markup:
        floor, right = self.height - BOTTOM, self.width - RIGHT
        drawn = []
        for tick in self.y.ticks:
            at = f"{self._y(tick):.1f}"
            drawn.append(
                Markup('<path class="grid" d="M{} {}H{}"/>').format(LEFT, at, right)
                + Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(
                    LEFT - 8, f"{self._y(tick) + 4:.1f}", tick_text(tick, self.y.ticks)
                )
            )
        for tick in self.x.ticks:
            at = f"{self._x(tick):.1f}"
            drawn.append(
                Markup('<path class="axis" d="M{} {}v4"/>').format(at, floor)
                + Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                    at, floor + 17, tick_text(tick, self.x.ticks)
                )
            )
        drawn.append(Markup('<path class="axis" d="M{} {}H{}"/>').format(LEFT, floor, right))
        drawn.append(
            Markup(
                '<text class="name" x="{}" y="12">{}</text>'
                '<text class="name" x="{}" y="{}" text-anchor="end">{}</text>'
            ).format(0, self.y.label, right, self.height - 4, self.x.label)
        )
        return Markup("").join(drawn)


def nice_axis(low: float, high: float, label: str, wanted: int = 5) -> Axis:
    """An axis from a round value at or below `low` to one at or above `high`."""
    if not high > low:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((s for s in (1, 2, 2.5, 5, 10) if s * power >= rough * 0.999), default=10)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(step * k, 10) for k in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks, label)


def tight_axis(low: float, high: float, label: str, wanted: int = 5) -> Axis:
    """An axis that ends where the data end; its ticks are the round values within."""
    if not high > low:
        high = low + 1.0
    ticks = tuple(t for t in nice_axis(low, high, label, wanted).ticks if low <= t <= high)
    return Axis(low, high, ticks, label)


def unit_axis(label: str, low: float = 0.0) -> Axis:
    """An axis from `low` to 1 for shares and areas."""
    step = 0.2 if low < 0.45 else 0.1
    count = round((1 - low) / step)
    return Axis(low, 1.0, tuple(round(1 - step * k, 10) for k in range(count, -1, -1)), label)


def tick_text(value: float, ticks: Sequence[float]) -> str:
    """A tick's number with as many decimals as its neighbours need."""
    step = min((abs(b - a) for a, b in pairwise(ticks)), default=1.0)
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    if digits and abs(step * 10**digits - round(step * 10**digits)) > 1e-6:
        digits += 1
    return f"{value:.{digits}f}".replace("-", "−")
