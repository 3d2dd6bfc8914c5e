"""Which lines are worth writing, so that the longest run stays under about 10,000 of them.

The length of a run is not known in advance, so the spacing follows what has been written: the
first `FULL_LINES` scalars are all kept, and after every further `LINES_PER_DOUBLING` the distance
in steps between two points of one curve doubles. The first `OWN_LINES` points of every curve are
kept in any case, so that a curve of one point per epoch stays whole beside those of every step.
Values are never averaged or changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FULL_LINES = 4000
OWN_LINES = 250
LINES_PER_DOUBLING = 250
PROGRESS_S = 0.5  # a bar that moves twice a second looks alive
PROGRESS_SHARE = 1 / 400  # and later every 0.25 % of the time the phase has taken
ALERTS_PER_CODE = 100


@dataclass
class _Curve:
    step: int
    finite: bool
    written: int
    skipped: dict[str, Any] | None = None


class ScalarThinner:
    """Chooses the points of every curve.

    Args:
        written: Scalars that earlier attempts of the run have already written.
    """

    def __init__(self, written: int = 0) -> None:
        self._written = written
        self._curves: dict[str, _Curve] = {}

    def keep(self, point: dict[str, Any]) -> bool:
        """Whether `point` (``name``, ``step``, ``value``) is to be written.

        A value that is missing after one that was not is always kept: gaps must show.
        """
        curve = self._curves.get(point["name"])
        spacing = 2 ** max(0, 1 + (self._written - FULL_LINES) // LINES_PER_DOUBLING)
        if (
            curve
            and curve.written >= OWN_LINES
            and point["step"] - curve.step < spacing
            and (point["value"] is not None or not curve.finite)
        ):
            curve.skipped = point
            return False
        self._note(point)
        return True

    def skipped(self) -> list[dict[str, Any]]:
        """The newest point of every curve that was passed over, so that curves end at the end."""
        last = [curve.skipped for curve in self._curves.values() if curve.skipped]
        for point in last:
            self._note(point)
        return last

    def _note(self, point: dict[str, Any]) -> None:
        name, before = point["name"], self._curves.get(point["name"])
        own = 1 + (before.written if before else 0)
        self._curves[name] = _Curve(point["step"], point["value"] is not None, own)
        self._written += 1


class ProgressThinner:
    """Chooses how often progress is written: often at first, then in proportion to the time."""

    def __init__(self, now: float) -> None:
        self.enter_phase(now)

    def enter_phase(self, now: float) -> None:
        """A phase begins at `now` (monotonic, in seconds); its first progress is written."""
        self._phase_start = now
        self._last = float("-inf")

    def keep(self, done: int, total: int, now: float) -> bool:
        """Whether progress at `now` (monotonic, in seconds) is to be written."""
        interval = max(PROGRESS_S, (now - self._phase_start) * PROGRESS_SHARE)
        if done < total and now - self._last < interval:
            return False
        self._last = now
        return True
