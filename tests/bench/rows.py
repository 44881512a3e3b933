"""One line of the table: what was measured, and the number it is to reach."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """What a figure is to reach, in the unit of the row it belongs to."""

    bound: float
    is_least: bool = False

    def is_met(self, measured: float) -> bool:
        return measured >= self.bound if self.is_least else measured <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.is_least else '<='} {number(self.bound)}"


@dataclass(frozen=True, slots=True)
class Row:
    """`note` says what the measured number is made of."""

    quantity: str
    measured: float
    unit: str
    reach: Reach | None = None
    note: str = ""


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of at least one value."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def number(value: float) -> str:
    """Three significant digits, and whole numbers from a hundred on."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
