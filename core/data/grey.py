"""What a header says about grey values, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HOUNSFIELD = "HU"
UNKNOWN_UNIT = "?"  # a volume's: it may be Hounsfield units, as only the user can know


@dataclass(frozen=True)
class Table:
    """A look-up table: `first` maps to `values[0]`; below and above, the ends are repeated."""

    first: int
    values: NDArray[Any]
    name: str = ""

    def apply(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Map each value (rounded to an integer) to float64."""
        places = np.rint(stored).astype(np.int64) - self.first
        found = self.values.astype(np.float64)[np.clip(places, 0, len(self.values) - 1)]
        return np.asarray(found)


@dataclass(frozen=True)
class Grey:
    """What a header says about its grey values.

    Attributes:
        bits: Bits stored, in [1, 64].
        signed: Whether stored values are two's complement.
        slope: Factor of the modality step; finite and not 0.
        intercept: Summand of the modality step.
        modality_table: Replaces slope and intercept.
        windows: (center, width) pairs as the file lists them, valid or not.
        names: The windows' explanations, as far as there are; free text of the header.
        function: VOI LUT function, as the file spells it.
        voi_tables: Take precedence over the windows.
        inverted: MONOCHROME1: the smallest value is white.
        padding: Inclusive range of stored values outside the picture, or None.
        unit: Of the values after the modality step: `HOUNSFIELD`, `UNKNOWN_UNIT` or ``""``.
    """

    bits: int
    signed: bool
    slope: float = 1.0
    intercept: float = 0.0
    modality_table: Table | None = None
    windows: tuple[tuple[float, float], ...] = ()
    names: tuple[str, ...] = ()
    function: str = "LINEAR"
    voi_tables: tuple[Table, ...] = ()
    inverted: bool = False
    padding: tuple[float, float] | None = None
    unit: str = ""
