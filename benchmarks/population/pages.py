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
from population import foreseen, healed
from population.examination import doctor_without_program, interval, kinds, rate, table
from population.fit import SHARES, Rows, brier, left_out, rows_of
from population.split import fitted, parts
from population.stored import read
from population.truth import truths

__all__ = ["alarm_below", "chances", "counts", "main"]

EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
FAILING = 2  # as the severity of the worst finding, the first feature
MOST_FALSE = 0.03
"""The share of healthy runs that may be called failing."""


def counts(results: list[dict[str, Any]], truth: dict[str, bool]) -> str:
    """How many runs a table is of."""
    known = [one for one in results if one["id"] in truth]
    ill = sum(truth[one["id"]] for one in known)
    untouched = sum(one["kind"] == "none" for one in known)
    return f"{len(known)} runs, of which {untouched} were left as they are; {ill} ended sick.\n"


def chances(known: list[dict[str, Any]], aside: list[dict[str, Any]], truth: dict[str, bool]) -> str:
    """How good the probability is, for each source and share of a run; at the end, how it is calibrated, and as an alarm."""
    lines = [
        "| from | of | after | Brier score | base rate's | AUC | right side of a half |",
        "|---|---|---|---|---|---|---|",
    ]
    bins = ["| from | of | said | runs | ended well |", "|---|---|---|---|---|"]
    alarms = ["| from | alarm | of | recall | false alarms |", "|---|---|---|---|---|"]
    for source in SOURCES:
        rows = rows_of(fitted(known), truth, source)
        out = rows_of(aside, truth, source)
        shipped = models()[source].probabilities(out.features, list(SOURCES[source]))
        unseen = left_out(rows, source)
        below = alarm_below(rows, unseen)
        for name, found, p in (("fitted, program left out", rows, unseen), ("set aside", out, shipped)):
            lines += [_line(source, name, found, p, share) for share in SHARES]
            bins += _calibration(source, name, found, p)
            alarms.append(_alarm(source, name, found, p, below))
    return "\n".join([*lines, "", *bins, "", *alarms])


def alarm_below(rows: Rows, p: np.ndarray) -> float:
    """The largest threshold on the probability, in hundredths, with at most MOST_FALSE false alarms at the end of a run."""
    ended, allowed = rows.shares == 1, 0.0
    for below in np.arange(1, 100) / 100:
        if _alarms(rows, p, below)[ended & rows.well].mean() > MOST_FALSE:
            break
        allowed = float(below)
    return allowed


def _alarms(rows: Rows, p: np.ndarray, below: float) -> np.ndarray:
    """Whether the verdict is failing or a good end less likely than that."""
    return np.asarray((rows.features[:, 0] == FAILING) | (p < below))


def _alarm(source: str, name: str, rows: Rows, p: np.ndarray, below: float) -> str:
    on, ended = _alarms(rows, p, below), rows.shares == 1
    recall, false = (rate(on[ended & here].tolist()) for here in (~rows.well, rows.well))
    return f"| {source} | failing, or a chance under {100 * below:.0f} % | {name} | {recall} | {false} |"


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
    fill(page, "kinds", kinds(results, truth, doctor_without_program(known, truth)))
    fill(page, "chance", chances(known, aside, truth))
    own = [one for one in results if one["own_run"]]
    fill(page, "foreseen", foreseen.table(own, truth, foreseen.read()))
    treated = healed.read()
    fill(page, "healing", f"{healed.table(treated)}\n\n{healed.by_cause(treated)}\n\n{healed.runs(treated)}")


if __name__ == "__main__":
    main()
