"""Healthy bands: for each number of the record, its range in healthy runs of a recipe, over thousands of images.

The bands come from our own benchmark (`benchmarks/bands.py`) and are stored in `bands/`. They are for display only; the
doctor does not use them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.vitals.records import Record

__all__ = ["BANDS", "Band", "band_of", "bands_of_runs", "healthy_bands"]


BANDS = Path(__file__).parent / "bands"

KNOTS = 24
WIDE = 0.6  # of the log distance between knots: radius within which records count for a knot
EDGES = 5, 95  # percentiles of the records of all runs
DIGITS = 4

KEYS = (
    "loss_d", "loss_g", "d_real", "d_fake", "logit_real", "logit_fake", "separation", "accuracy_real", "accuracy_fake",
    "grad_g", "grad_d", "grad_g_first", "grad_d_first", "update_g", "update_d", "diversity", "z_response", "swd",
    "held_out", "weight_g", "weight_d",
)  # fmt: skip


@dataclass(frozen=True)
class Band:
    """The range of healthy runs: three columns of equal length, over thousands of images."""

    kimg: list[float]
    low: list[float]
    high: list[float]


def healthy_bands(recipe: str, folder: Path = BANDS) -> tuple[dict[str, Band], str]:
    """The bands of a recipe by the record's key, and their origin; empty for a recipe without any."""
    path = folder / f"{recipe}.json"
    if not path.is_file():
        return {}, ""
    tree = json.loads(path.read_text(encoding="utf-8"))
    return {key: Band(tree["kimg"], low, high) for key, (low, high) in tree["bands"].items()}, tree["about"]


def bands_of_runs(runs: Sequence[Sequence[Record]], about: str) -> dict[str, Any]:
    """The bands of some runs' records, ready for JSON."""
    end = min(run[-1]["kimg"] for run in runs)
    begin = max(min(run[1]["kimg"] for run in runs), end / 1000)
    knots = np.geomspace(begin, end, KNOTS)
    bands = {}
    for key in KEYS:
        band = band_of(runs, key, knots)
        if band is not None:
            bands[key] = (band.low, band.high)
    return {"about": about, "kimg": [_short(k) for k in knots], "bands": bands}


def band_of(runs: Sequence[Sequence[Record]], key: str, knots: np.ndarray[Any, Any]) -> Band | None:
    """The band of one key; None where no run has it."""
    points = np.array([(r["kimg"], r[key]) for run in runs for r in run if r.get(key) is not None and r["kimg"] > 0])
    if not len(points):
        return None
    reach = WIDE * np.log(knots[1] / knots[0])
    low, high = [], []
    for knot in knots:
        near = points[np.abs(np.log(points[:, 0] / knot)) <= reach, 1]
        if not len(near):
            near = points[[np.abs(np.log(points[:, 0] / knot)).argmin()], 1]
        edges = np.percentile(near, EDGES)
        low.append(_short(edges[0]))
        high.append(_short(edges[1]))
    return Band([_short(k) for k in knots], low, high)


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
