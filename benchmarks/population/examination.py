"""How often the doctor is right on the population: error rates with intervals, for what was fitted and for what was set aside.

    python benchmarks/population/examination.py population.json.gz            the fitted part
    python benchmarks/population/examination.py population.json.gz --aside    what was set aside; once, at the end
    python benchmarks/population/examination.py population.json.gz --wrong    each run that is judged wrongly

An alarm is the verdict "failing" at the end of the records. Recall is the share of sick runs with an alarm, false alarms the
share of healthy runs with one; the first cause is right where the first finding of an alarm is one of the intervention's
codes. Each is also given for the losses alone, as a log would have them, and for rules of thumb on the same runs. Intervals are
Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from ganglion.doctor.examine import examine
from ganglion.doctor.verdict import Verdict
from population.interventions import INTERVENTIONS
from population.split import is_aside
from population.truth import Measured, sick

LOSSES = ("step", "kimg", "loss_d", "loss_g", "non_finite")
Result = dict[str, Any]
Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Judged:
    """A run, the truth, and what was said of it."""

    result: Result
    sick: bool
    alarm: bool
    first: str | None = None
    """The code of the first finding, where there is an alarm."""
    since: float | None = None
    """Share of the records at which the alarm was first raised for good."""

    @property
    def right_cause(self) -> bool:
        return self.first in INTERVENTIONS[self.result["kind"]].codes


def read(path: Path) -> list[Result]:
    return list(json.loads(gzip.decompress(path.read_bytes())))


def truths(results: list[Result]) -> dict[str, bool]:
    """By the run's id: whether it is sick. Runs whose pair has fewer than two healthy ones are left out."""
    healthy: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    for one in results:
        if one["kind"] == "none" and one["finite"] and one.get("distance") is not None:
            healthy[one["program"], one["data"]].append(Measured(one["distance"], one["classes"]))
    found = {}
    for one in results:
        usual = healthy[one["program"], one["data"]]
        if len(usual) >= 2:
            measured = Measured(one.get("distance") or float("nan"), one.get("classes"))
            found[one["id"]] = sick(measured, one["finite"], usual)
    return found


# What could be said of a run


def by_doctor(one: Result, records: Records) -> tuple[bool, str | None]:
    verdict: Verdict = examine(records, own_run=one["own_run"])
    failing = [finding.code for finding in verdict.findings if finding.severity == "failing"]
    return verdict.status == "failing", failing[0] if failing else None


def by_losses(one: Result, records: Records) -> tuple[bool, str | None]:
    return by_doctor(one, [{key: record[key] for key in LOSSES if key in record} for record in records])


def by_numbers(one: Result, records: Records) -> tuple[bool, str | None]:
    """Whether any number is not finite."""
    bad = any(record.get("non_finite") for record in records) or one["error"] is not None
    return bad, "non-finite" if bad else None


def by_small_loss(one: Result, records: Records) -> tuple[bool, str | None]:
    """D's loss below 0.1 in the mean of the last tenth of the records: the tutorials' rule."""
    last = [record["loss_d"] for record in records[-max(1, len(records) // 10) :] if record.get("loss_d") is not None]
    bad = bool(last) and -0.1 < float(np.mean(last)) < 0.1
    return bad or by_numbers(one, records)[0], "discriminator-wins" if bad else None


def by_diversity(one: Result, records: Records) -> tuple[bool, str | None]:
    """Samples that vary less than half as much as reals, at the end."""
    seen = [record["diversity"] for record in records if record.get("diversity") is not None]
    return bool(seen) and seen[-1] < 0.5, "mode-collapse"


def by_neighbours(one: Result, records: Records) -> tuple[bool, str | None]:
    """Samples that a 1-nearest-neighbour classifier tells from images nine times of ten, at the end."""
    return one.get("neighbours", 1.0) > 0.9, None


def by_discrepancy(one: Result, records: Records) -> tuple[bool, str | None]:
    """A maximum mean discrepancy above 0.1, at the end."""
    return one.get("discrepancy", 1.0) > 0.1, None


Says = Callable[[Result, Records], tuple[bool, str | None]]
WAYS: dict[str, Says] = {
    "doctor, all vitals": by_doctor, "doctor, losses alone": by_losses, "NaN check": by_numbers,
    "D's loss below 0.1": by_small_loss, "diversity below 0.5": by_diversity,
    "nearest neighbours": by_neighbours, "maximum mean discrepancy": by_discrepancy,
}  # fmt: skip


def judged(results: list[Result], way: Says, truth: dict[str, bool], early: bool = False) -> list[Judged]:
    found = []
    for one in results:
        if one["id"] in truth:
            alarm, first = way(one, one["records"])
            since = _raised(one, way) if early and alarm else None
            found.append(Judged(one, truth[one["id"]], alarm, first, since))
    return found


def _raised(one: Result, way: Says) -> float:
    """Share of the records from which on the alarm stands."""
    records = one["records"]
    steps = np.unique(np.linspace(1, len(records), 20).astype(int))[::-1]
    last = len(records)
    for count in steps:
        if not way(one, records[:count])[0]:
            break
        last = int(count)
    return last / len(records)


# Rates


def interval(hits: int, count: int) -> tuple[float, float]:
    """Wilson's, 95 %."""
    if not count:
        return 0.0, 1.0
    z, share = 1.96, hits / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def rate(hits: Sequence[bool]) -> str:
    low, high = interval(sum(hits), len(hits))
    return f"{np.mean(hits):.2f} ({low:.2f} to {high:.2f}; {len(hits)})" if hits else "none"


def line(name: str, found: list[Judged]) -> str:
    ill, well = [one for one in found if one.sick], [one for one in found if not one.sick]
    causes = [one.right_cause for one in ill if one.alarm and one.result["kind"] != "none"]
    early = [one.since for one in ill if one.since is not None]
    when = f"{np.median(early):.2f}" if early else "-"
    return f"| {name} | {rate([one.alarm for one in ill])} | {rate([one.alarm for one in well])} | {rate(causes)} | {when} |"


HEAD = "| | recall | false alarms | first cause right | raised at, median share |\n|---|---|---|---|---|"


def table(results: list[Result], truth: dict[str, bool]) -> str:
    lines = [HEAD]
    for name, way in WAYS.items():
        lines.append(line(name, judged(results, way, truth, early=name == "doctor, all vitals")))
    share = np.mean([truth[one["id"]] for one in results if one["id"] in truth])
    lines.append(f"| guessing at the base rate | {share:.2f} | {share:.2f} | - | - |")
    return "\n".join(lines)


def wrong(results: list[Result], truth: dict[str, bool]) -> str:
    """A line for each sick run without an alarm, each healthy one with one, and each wrong cause."""
    lines = []
    for one in judged(results, by_doctor, truth):
        codes = [f"{f.code}/{f.severity}" for f in examine(one.result["records"], one.result["own_run"]).findings]
        strength = INTERVENTIONS[one.result["kind"]].strengths[one.result["strength"]].name
        seen = f"distance {one.result.get('distance')}, classes {one.result.get('classes')}"
        said = f"{one.result['id']} ({strength}) {seen}: {codes}"
        if one.sick != one.alarm:
            lines.append(("MISSED " if one.sick else "FALSE ALARM ") + said)
        elif one.sick and one.result["kind"] != "none" and not one.right_cause:
            lines.append("WRONG CAUSE " + said)
    return "\n".join(sorted(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--aside", action="store_true")
    parser.add_argument("--wrong", action="store_true")
    asked = parser.parse_args()
    everything = read(asked.results)
    truth = truths(everything)
    chosen = [one for one in everything if is_aside(one["program"], one["data"], one["kind"]) == asked.aside]
    print(wrong(chosen, truth) if asked.wrong else table(chosen, truth))


if __name__ == "__main__":
    main()
