"""Writes the population's tables into docs/doctor.md, from the runs that are kept in the repository, in a minute or two.

python benchmarks/population/pages.py docs/doctor.md
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import itertools

import numpy as np

from ganglion.doctor.probability import SOURCES, models
from marked import fill
from population.examination import interval, kinds, parts, table, truths
from population.fit import SHARES, Rows, brier, left_out, rows_of
from population.split import fitted
from population.stored import read

__all__ = ["chances", "counts", "main"]

EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def counts(results: list[dict[str, Any]], truth: dict[str, bool]) -> str:
    """How many runs a table is of."""
    known = [one for one in results if one["id"] in truth]
    ill = sum(truth[one["id"]] for one in known)
    untouched = sum(one["kind"] == "none" for one in known)
    return f"{len(known)} runs, of which {untouched} were left as they are; {ill} ended sick.\n"


def chances(known: list[dict[str, Any]], aside: list[dict[str, Any]], truth: dict[str, bool]) -> str:
    """How good the probability is, for each source and each share of a run; and how it is calibrated at the end."""
    lines = [
        "| from | of | after | Brier score | base rate's | AUC | right side of a half |",
        "|---|---|---|---|---|---|---|",
    ]
    bins = ["| from | of | said | runs | ended well |", "|---|---|---|---|---|"]
    for source in SOURCES:
        rows = rows_of(fitted(known), truth, source)
        out = rows_of(aside, truth, source)
        shipped = models()[source].probabilities(out.features, list(SOURCES[source]))
        for name, found, p in (("fitted, program left out", rows, left_out(rows, source)), ("set aside", out, shipped)):
            lines += [_line(source, name, found, p, share) for share in SHARES]
            bins += _calibration(source, name, found, p)
    return "\n".join([*lines, "", *bins])


def _line(source: str, name: str, rows: Rows, p: np.ndarray, share: float) -> str:
    here = rows.shares == share
    said, well = p[here], rows.well[here]
    above = (said[well][:, None] > said[~well]).mean() + 0.5 * (said[well][:, None] == said[~well]).mean()
    base = brier(np.full(len(well), well.mean()), well)
    right = (said > 0.5) == well
    low, high = interval(int(right.sum()), len(right))
    after = {0.1: "a tenth", 1.0: "all of it"}.get(share, "a third")
    return (
        f"| {source} | {name} | {after} | {brier(said, well):.3f} | {base:.3f} | {above:.2f} | "
        f"{right.mean():.2f} ({low:.2f} to {high:.2f}; {len(right)}) |"
    )


def _calibration(source: str, name: str, rows: Rows, p: np.ndarray) -> list[str]:
    """How many ended well of those of which about as much was said, at the end."""
    ended = rows.shares == 1
    said, well, lines = p[ended], rows.well[ended], []
    for low, high in itertools.pairwise(EDGES):
        here = (said >= low) & (said < high)
        if here.any():
            lines.append(f"| {source} | {name} | {low:.1f} to {high:.1f} | {here.sum()} | {well[here].mean():.2f} |")
    return lines


def main() -> None:
    page = Path(sys.argv[1])
    results = read()
    truth = truths(results)
    known, aside = parts(results)
    fill(page, "fitted", counts(known, truth) + "\n" + table(known, truth, known))
    fill(page, "aside", counts(aside, truth) + "\n" + table(aside, truth, known))
    fill(page, "kinds", kinds(results, truth))
    fill(page, "chance", chances(known, aside, truth))


if __name__ == "__main__":
    main()
