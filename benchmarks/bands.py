"""The healthy bands behind the charts of the report: the range of each number over runs of a recipe that went well.

    python benchmarks/bands.py RUN RUN ... --about "two runs on MNIST at 32x32, two minutes each"

Runs are told apart by their recipe; a run of which the doctor says anything but healthy is refused. Writes
OUT/RECIPE.json, by default in src/ganglion/report/bands, a few kilobytes each.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.doctor.diagnose import diagnose
from ganglion.report.bands import BANDS, Band
from ganglion.runs.folder import Run
from ganglion.vitals.records import Record

KNOTS = 24
WIDE = 0.6  # of the distance to the neighbouring knots, on a logarithmic scale, from which records count
EDGES = 5, 95  # percentiles of the records of all runs
DIGITS = 4

KEYS = (
    "loss_d", "loss_g", "d_real", "d_fake", "logit_real", "logit_fake", "separation", "accuracy_real", "accuracy_fake",
    "grad_g", "grad_d", "grad_g_first", "grad_d_first", "update_g", "update_d", "diversity", "z_response", "swd",
    "held_out", "weight_g", "weight_d",
)  # fmt: skip


def bands_of_runs(runs: Sequence[Sequence[Record]], about: str) -> dict[str, Any]:
    """The bands of some runs' records, ready for JSON."""
    end = min(run[-1]["kimg"] for run in runs)
    begin = max(min(run[1]["kimg"] for run in runs), end / 1000)
    knots = np.geomspace(begin, end, KNOTS)
    found = {}
    for key in KEYS:
        band = band_of(runs, key, knots)
        if band is not None:
            found[key] = (band.low, band.high)
    return {"about": about, "kimg": [_short(k) for k in knots], "bands": found}


def band_of(runs: Sequence[Sequence[Record]], key: str, knots: np.ndarray[Any, Any]) -> Band | None:
    """The band of one key; None where a knot has no record near it."""
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--about", required=True, help="what the runs were, for a person")
    parser.add_argument("--out", type=Path, default=BANDS)
    asked = parser.parse_args()
    groups: dict[str, list[list[Record]]] = defaultdict(list)
    for path in asked.runs:
        state = diagnose(path).state
        if state != "healthy":
            raise SystemExit(f"{path} is {state}: only healthy runs make a band")
        groups[Run(path).recipe.name].append(Run(path).records())
    asked.out.mkdir(exist_ok=True)
    for recipe, runs in groups.items():
        target = asked.out / f"{recipe}.json"
        target.write_text(json.dumps(bands_of_runs(runs, asked.about), separators=(",", ":")) + "\n", encoding="utf-8")
        print(f"{recipe}: {len(runs)} runs, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
