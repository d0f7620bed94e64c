"""What measured runs reached: the one table on which budgets of `auto`, and what is said before a training, rest.

A row is one snapshot of a run. Rows of one source and recipe are a curve over images. `relative_distance` is None where the run
was measured on another scale only: then nothing is said of it but that it is not known.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import NamedTuple

__all__ = ["MEASURED", "Expectation", "MeasuredRun", "expectations", "needed_kimg", "similar"]


class MeasuredRun(NamedTuple):
    what: str
    """The images, in a word or two."""
    recipe: str
    images: int
    """In the data set."""
    side: int
    """The short side in pixels."""
    kimg: float
    """Thousands of images shown to D."""
    relative_distance: float | None
    """After these; 0: as other real images, 1: as a Gaussian of the pixels. None: not measured on this scale."""
    source: str
    """Where the run is described."""


def _read() -> tuple[MeasuredRun, ...]:
    lines = Path(__file__).with_name("measured.csv").read_text(encoding="utf-8").splitlines()
    return tuple(
        MeasuredRun(
            row["what"], row["recipe"], int(row["images"]), int(row["side"]), float(row["kimg"]),
            float(row["relative_distance"]) if row["relative_distance"] else None, row["source"],
        )
        for row in csv.DictReader(lines)
    )  # fmt: skip


MEASURED = _read()
"""The rows of measured.csv; those of folders are written by benchmarks/folders.py."""

SIMILAR_SIDE = 1.5  # times: sides within it are compared
SIMILAR_NUMBER = 10.0  # times: the same for numbers of images


def similar(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether runs on so many images of that side (images, side) are compared with each other."""
    return _within(one[0], other[0], SIMILAR_NUMBER) and _within(one[1], other[1], SIMILAR_SIDE)


class Expectation(NamedTuple):
    """What a measured run reached with about as many images shown."""

    what: str
    relative_distance: float | None
    """None: not known."""
    kimg: float
    """At which it was measured: as many as asked for, or the nearest that there is."""


def expectations(
    recipe: str, images: int, side: int, kimg: float, table: Sequence[MeasuredRun] = MEASURED
) -> list[Expectation]:
    """For each measured data set of about this size and number, under this recipe, what it reached after `kimg`."""
    return [_at(rows, kimg) for rows in _curves(recipe, images, side, table)]


def needed_kimg(
    recipe: str, images: int, side: int, goal: float, table: Sequence[MeasuredRun] = MEASURED
) -> float | None:
    """Thousands of images after which half of such runs were at the relative distance `goal`; None where fewer were."""
    reached = [_reaches(rows, goal) for rows in _curves(recipe, images, side, table) if _is_known(rows)]
    found = median_low([math.inf if kimg is None else kimg for kimg in reached]) if reached else math.inf
    return None if math.isinf(found) else found


def _curves(recipe: str, images: int, side: int, table: Iterable[MeasuredRun]) -> list[list[MeasuredRun]]:
    """Rows of each similar data set, by images shown."""
    curves: dict[str, list[MeasuredRun]] = {}
    for row in table:
        if row.recipe == recipe and similar((row.images, row.side), (images, side)):
            curves.setdefault(row.what, []).append(row)
    return [sorted(rows, key=lambda row: row.kimg) for rows in curves.values()]


def _is_known(rows: list[MeasuredRun]) -> bool:
    return any(row.relative_distance is not None for row in rows)


def _within(a: float, b: float, times: float) -> bool:
    return max(a, b) <= times * min(a, b)


def _at(rows: list[MeasuredRun], kimg: float) -> Expectation:
    """Between two measurements along a line in log kimg; outside, the nearest measurement itself."""
    known = [(row.kimg, row.relative_distance) for row in rows if row.relative_distance is not None]
    if not known:
        return Expectation(rows[0].what, None, min(rows, key=lambda row: abs(math.log(row.kimg / kimg))).kimg)
    for (left, high), (right, low) in pairwise(known):
        if left <= kimg <= right:
            share = math.log(kimg / left) / math.log(right / left)
            return Expectation(rows[0].what, high + share * (low - high), kimg)
    at, distance = known[0] if kimg < known[0][0] else known[-1]
    return Expectation(rows[0].what, distance, at)


def _reaches(rows: list[MeasuredRun], goal: float) -> float | None:
    """Thousands of images at which the curve first is at the goal; None where it never is."""
    known = [(row.kimg, row.relative_distance) for row in rows if row.relative_distance is not None]
    for i, (kimg, distance) in enumerate(known):
        if distance <= goal:
            if i == 0:
                return kimg
            before, high = known[i - 1]
            share = (high - goal) / (high - distance)
            return float(before * (kimg / before) ** share)
    return None
