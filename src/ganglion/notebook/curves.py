"""Small line charts for notebooks: from numbers to the points of an SVG. No script and no library in the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Chart", "Line", "Tick", "chart_of"]

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 300, 124, 40, 104, 8
COLOURS = ("#4c78a8", "#f58518", "#54a24b")
"""The report's first colours, which can be seen on white and on black."""
POINTS = 240
SPIKES = 2, 98
"""Per cent of the values that decide the vertical range; what is beyond is drawn at the edge."""
MOST_TICKS = 4

Column = NDArray[np.float64]


class Tick(NamedTuple):
    """A value on the vertical axis."""

    y: float
    text: str


class Line(NamedTuple):
    """A line through all values that there are."""

    name: str
    colour: str
    last: float
    """The last value."""
    points: str
    """As in `<polyline points>`."""
    dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart, ready for the template."""

    title: str
    lines: list[Line]
    ticks: list[Tick]
    first: str
    """The ends of the horizontal axis."""
    last: str
    description: str
    """In words, for those who cannot see it."""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    bottom: int = BOTTOM


def chart_of(
    title: str,
    x: Sequence[float],
    series: Mapping[str, Sequence[float | None]],
    bounds: tuple[float, float] | None = None,
    unit: str = "kimg",
    dashed: Sequence[str] = (),
) -> Chart | None:
    """The series over `x`, thinned; None where no series has a finite value. `bounds`: of a fixed vertical axis."""
    columns = {name: _valid(x, values) for name, values in series.items()}
    columns = {name: column for name, column in columns.items() if len(column)}
    if not columns:
        return None
    low, high = bounds or _range(np.concatenate([column[:, 1] for column in columns.values()]))
    span = max(float(x[-1] - x[0]), 1e-12)
    lines = []
    for (name, column), colour in zip(columns.items(), COLOURS, strict=False):
        across = LEFT + (WIDTH - LEFT) * (column[:, 0] - x[0]) / span
        down = _height(np.clip(column[:, 1], low, high), low, high)
        lines.append(Line(name, colour, float(column[-1, 1]), _points(across, down), name in dashed))
    ticks = [Tick(round(float(_height(value, low, high)), 1), _text(value)) for value in _round_values(low, high)]
    words = ", ".join(f"{line.name} {line.last:.3g}" for line in lines)
    end = f"{_text(x[-1])} {unit}"
    return Chart(title, lines, ticks, _text(x[0]), end, f"{title} at {end}: {words}")


def _valid(x: Sequence[float], values: Sequence[float | None]) -> Column:
    """(n, 2): x and value where there is a finite one; at most POINTS of them, with the first and the last."""
    pairs = [(at, value) for at, value in zip(x, values, strict=True) if value is not None and math.isfinite(value)]
    if not pairs:
        return np.empty((0, 2))
    chosen = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), POINTS)).round().astype(int))
    return np.array([pairs[i] for i in chosen], np.float64)


def _range(values: Column) -> tuple[float, float]:
    """The vertical axis without spikes, and never empty; of values that are not negative it is not negative either."""
    low, high = (float(one) for one in np.nanpercentile(values, SPIKES))
    flat = high - low < 1e-9 * max(1.0, abs(high))
    margin = 0.5 * max(abs(high), 1e-3) if flat else 0.08 * (high - low)
    return (max(0.0, low - margin) if low >= 0 else low - margin), high + margin


def _round_values(low: float, high: float) -> list[float]:
    """At most MOST_TICKS round numbers from low to high: multiples of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10((high - low) / MOST_TICKS))
    for times in (1, 2, 5, 10):
        step = times * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < MOST_TICKS:
            return [n * step for n in range(first, last + 1)]
    return [low, high]


def _height(value: Column | float, low: float, high: float) -> Column:
    return np.asarray(BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low))


def _points(across: Column, down: Column) -> str:
    """As text; a single point becomes a short line, which can be seen."""
    if len(across) == 1:
        across, down = np.array([across[0] - 2, across[0] + 2]), np.repeat(down, 2)
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))


def _text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
