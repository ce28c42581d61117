"""Charts of two samples of a column: shapes in the units of the picture, and a sentence.

Input: the column in the reference and in the window. Output: shapes for the report's SVG. Pure.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from proveout.monitoring.drift_tests.column_kind import MISSING, Column

WIDTH, HEIGHT = 240, 64  # size of a picture without its axis
BINS = 24
LEVELS = 4


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One level with its share in both samples, 0 to 1."""

    name: str
    reference: float
    window: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Two outlines over a numeric axis, or bars."""

    change: str  # the largest change in words, for readers without the picture
    low: str = ""  # ends of the axis
    high: str = ""
    reference: str = ""  # points of an SVG outline
    window: str = ""
    bars: tuple[Bar, ...] = ()


def numeric(reference: Column, window: Column) -> Picture:
    """Two histograms over one axis; the outermost half percent is counted at the ends."""
    before, after = _finite(reference), _finite(window)
    both = np.concatenate([before, after])
    if not len(before) or not len(after):
        return Picture(change="no values on one side")
    low, high = (float(end) for end in np.quantile(both, [0.005, 0.995]))
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    shares = [np.histogram(np.clip(side, low, high), edges)[0] / len(side) for side in (before, after)]
    highest = max(float(side.max()) for side in shares)
    return Picture(
        change=_moved(before, after),
        low=("≤ " if both.min() < low else "") + number(low),
        high=("≥ " if both.max() > high else "") + number(high),
        reference=_outline(shares[0] / highest),
        window=_outline(shares[1] / highest),
    )


def text(reference: Column, window: Column) -> Picture:
    """The levels whose share changed most, the largest change first."""
    before, after = _shares(reference), _shares(window)
    levels = sorted(
        before.keys() | after.keys(),
        key=lambda level: (-abs(after.get(level, 0.0) - before.get(level, 0.0)), level),
    )
    bars = tuple(
        Bar(name=level, reference=before.get(level, 0.0), window=after.get(level, 0.0)) for level in levels[:LEVELS]
    )
    return Picture(change=_change(bars[0]), bars=bars)


def missing(reference: Column, window: Column) -> Picture:
    """The share of rows without a value."""
    bar = Bar(name="missing", reference=float(reference.isna().mean()), window=float(window.isna().mean()))
    return Picture(change=_change(bar), bars=(bar,))


def number(value: float) -> str:
    """At least three significant digits; a year without a comma, a larger number with one.

    >>> [number(value) for value in (2001.0, 0.04261, 24_000.0, -3.0)]
    ['2001', '0.0426', '24,000', '-3']
    """
    if abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share in percent; a tiny one is "< 0.1 %".

    >>> percent(0.1384), percent(0.0004), percent(0.0)
    ('13.8 %', '< 0.1 %', '0 %')
    """
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.1f} %".replace(".0 %", " %")


def _finite(values: Column) -> npt.NDArray[np.float64]:
    numbers: npt.NDArray[np.float64] = values.dropna().to_numpy(dtype=np.float64)
    return numbers[np.isfinite(numbers)]


def _moved(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> str:
    for name, measure in (("median", np.median), ("mean", np.mean)):
        then, today = number(float(measure(before))), number(float(measure(after)))
        if then != today:
            return f"{name} {then} → {today}"
    return f"median {number(float(np.median(before)))} on both sides"


def _shares(values: Column) -> dict[str, float]:
    levels = Counter(MISSING if gone else str(value) for value, gone in zip(values, values.isna(), strict=True))
    return {level: rows / len(values) for level, rows in levels.items()}


def _change(bar: Bar) -> str:
    return f"{bar.name} {percent(bar.reference)} → {percent(bar.window)}"


def _outline(heights: Sequence[float] | npt.NDArray[np.float64]) -> str:
    """The points of a step line from the left end of the axis to the right one. `heights` 0 to 1."""
    step = WIDTH / len(heights)
    points = [(0.0, float(HEIGHT))]
    for place, height in enumerate(heights):
        y = HEIGHT * (1 - float(height))
        points += [(place * step, y), ((place + 1) * step, y)]
    points.append((float(WIDTH), float(HEIGHT)))
    return " ".join(f"{x:g},{y:.1f}" for x, y in points)
