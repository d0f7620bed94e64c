"""How often the doctor is right on the population: error rates with intervals, for what was fitted and for what was set aside.

    python benchmarks/population/examination.py            the fitted part
    python benchmarks/population/examination.py --aside    what was set aside; once, at the end
    python benchmarks/population/examination.py --wrong    each run that is judged wrongly
    python benchmarks/population/examination.py --kinds    a line for each kind of intervention

An alarm is the verdict "failing" at the end of the records; of a run of the fitted part by a model that has not seen its
program. Recall is the share of sick runs with an alarm, false alarms the share of healthy runs with one, at the end and at
any of 20 moments; the first cause is right where the first finding of an alarm is one of the intervention's codes. Each is
also given for the losses alone, as a log would have them, and for what else could be used on the same runs, with the
threshold that is best on the fitted part. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from ganglion.doctor import probability
from ganglion.doctor.examine import examine
from population.alternatives import ALTERNATIVES, Records, Result, by_score, objective_of_losses, of_losses
from population.fit import models_without, rows_of
from population.interventions import INTERVENTIONS
from population.split import ASIDE_KINDS, fitted, is_aside, parts
from population.stored import STORED, read
from population.truth import truths

POINTS = 20  # of a run, at which the verdict is asked for


@dataclass(frozen=True)
class Judged:
    """A run, the truth, and what was said of it."""

    result: Result
    sick: bool
    alarm: bool
    since: float | None = None
    """Share of the records at which the alarm was first raised for good."""
    ever: bool = False
    """Whether there was an alarm at any of POINTS."""
    codes: tuple[str, ...] = ()
    """Of all findings at the end, in their order, failing or watch."""

    @property
    def first(self) -> str | None:
        """The code of the first finding, where there is an alarm."""
        return self.codes[0] if self.alarm and self.codes else None

    @property
    def right_cause(self) -> bool:
        return self.first in INTERVENTIONS[self.result["kind"]].codes


Says = Callable[[Result, Records], tuple[bool, tuple[str, ...]]]
"""Whether there is an alarm, and the codes of what was found, causes first."""


def by_doctor(one: Result, records: Records) -> tuple[bool, tuple[str, ...]]:
    """As it is shipped. A run that its model was fitted to has to be asked `doctor_without_program`."""
    verdict = examine(records, own_run=one["own_run"])
    return verdict.state == "failing", tuple(finding.code for finding in verdict.findings)


def doctor_without_program(known: list[Result], truth: dict[str, bool]) -> Says:
    """The doctor with a model of how likely a good end is that has not seen the run's program; of runs that were set aside the
    shipped one, which has not seen them either.
    """
    without, shipped = models_without(rows_of(fitted(known), truth, "vitals"), "vitals"), probability.models()

    def says(one: Result, records: Records) -> tuple[bool, tuple[str, ...]]:
        if is_aside(one["program"], one["data"], one["kind"]) or one["program"] not in without:
            return by_doctor(one, records)
        with asking(shipped | {"vitals": without[one["program"]]}):
            return by_doctor(one, records)

    return says


@contextmanager
def asking(models: dict[str, probability.Model]) -> Iterator[None]:
    """The doctor asks these models, also of the runs that others are compared with."""
    probability.population_effects.cache_clear()
    try:
        with mock.patch.object(probability, "models", return_value=models):
            yield
    finally:
        probability.population_effects.cache_clear()


def by_losses(one: Result, records: Records) -> tuple[bool, tuple[str, ...]]:
    """As of a log that holds only losses, whose objective has to be told from them."""
    verdict = examine(of_losses(records), own_run=one["own_run"], objective=objective_of_losses(records))
    return verdict.state == "failing", tuple(finding.code for finding in verdict.findings)


def judged(results: list[Result], way: Says, truth: dict[str, bool], over_time: bool = False) -> list[Judged]:
    found = []
    for one in results:
        if one["id"] in truth:
            alarm, codes = way(one, one["records"])
            alarms = list(_over_time(one, way)) if over_time else [(1.0, alarm)]
            since = next((share for share, _ in reversed(_held(alarms))), None) if alarm else None
            found.append(Judged(one, truth[one["id"]], alarm, since, any(on for _, on in alarms), codes))
    return found


def _over_time(one: Result, way: Says) -> Iterator[tuple[float, bool]]:
    """Shares of the records, and whether there is an alarm after so many."""
    records = one["records"]
    for count in np.unique(np.linspace(1, len(records), POINTS).astype(int)).tolist():
        yield count / len(records), way(one, records[:count])[0]


def _held(alarms: list[tuple[float, bool]]) -> list[tuple[float, bool]]:
    """The last alarms, newest first, up to the first point without one."""
    kept = []
    for share, on in reversed(alarms):
        if not on:
            break
        kept.append((share, on))
    return kept


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


HEAD = (
    "| | recall | false alarms, at the end | at any time | first cause right | raised at, median share |\n"
    "|---|---|---|---|---|---|"
)


def line(name: str, found: list[Judged], over_time: bool) -> str:
    ill, well = [one for one in found if one.sick], [one for one in found if not one.sick]
    causes = [one.right_cause for one in ill if one.first is not None and one.result["kind"] != "none"]
    early = [one.since for one in ill if one.since is not None]
    when = f"{np.median(early):.2f}" if early and over_time else "-"
    ever = rate([one.ever for one in well]) if over_time else "-"
    return (
        f"| {name} | {rate([one.alarm for one in ill])} | {rate([one.alarm for one in well])} | {ever} | "
        f"{rate(causes)} | {when} |"
    )


def table(results: list[Result], truth: dict[str, bool], known: list[Result]) -> str:
    """Of `results`; thresholds of what else could be used are those that are best on the runs `known`."""
    doctor = doctor_without_program(known, truth)
    own = [one for one in results if one["own_run"]]
    watched = [one for one in results if not one["own_run"]]
    lines = [
        HEAD,
        line("the doctor", judged(results, doctor, truth, True), True),
        line("of these recipes of Ganglion", judged(own, doctor, truth, True), True),
        line("of these watched loops", judged(watched, doctor, truth, True), True),
        line("the doctor, losses alone", judged(results, by_losses, truth, True), True),
    ]
    for name, score in ALTERNATIVES.items():
        lines.append(line(name, judged(results, by_score(score, known, truth), truth), False))
    share = np.mean([truth[one["id"]] for one in results if one["id"] in truth])
    lines.append(f"| guessing at the base rate | {share:.2f} | {share:.2f} | - | - | - |")
    return "\n".join(lines)


def kinds(results: list[Result], truth: dict[str, bool], says: Says = by_doctor) -> str:
    """A line for each kind of intervention: how many did harm, how many of those were found, and under which names."""
    lines = [
        "| intervention | runs | sick | alarms | first cause right | first causes named |",
        "|---|---|---|---|---|---|",
    ]
    by_kind: dict[str, list[Judged]] = defaultdict(list)
    for one in judged(results, says, truth):
        by_kind[one.result["kind"]].append(one)
    for kind, found in sorted(by_kind.items()):
        ill = [one for one in found if one.sick]
        alarms = [one for one in ill if one.alarm]
        named = sorted({one.first for one in alarms if one.first})
        right = "-" if kind == "none" else sum(one.right_cause for one in alarms)
        name = f"{kind} (set aside)" if kind in ASIDE_KINDS else kind
        lines.append(f"| {name} | {len(found)} | {len(ill)} | {len(alarms)} | {right} | {', '.join(named)} |")
    return "\n".join(lines)


def wrong(results: list[Result], truth: dict[str, bool], says: Says = by_doctor) -> str:
    """A line for each sick run without an alarm, each healthy one with one, and each wrong cause."""
    lines = []
    for one in judged(results, says, truth, over_time=True):
        strength = INTERVENTIONS[one.result["kind"]].strengths[one.result["strength"]].name
        seen = f"distance {one.result.get('distance')}, classes {one.result.get('classes')}"
        said = f"{one.result['id']} ({strength}) {seen}: {', '.join(one.codes)}"
        if one.sick != one.alarm:
            lines.append(("MISSED " if one.sick else "FALSE ALARM ") + said)
        elif one.ever and not one.sick:
            lines.append("FALSE ALARM ON THE WAY " + said)
        elif one.sick and one.result["kind"] != "none" and not one.right_cause:
            lines.append("WRONG CAUSE " + said)
    return "\n".join(sorted(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", default=STORED)
    parser.add_argument("--aside", action="store_true")
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("--kinds", action="store_true")
    asked = parser.parse_args()
    everything = read(asked.results)
    truth = truths(everything)
    known, aside = parts(everything)
    chosen = aside if asked.aside else known
    if asked.wrong or asked.kinds:
        return print((wrong if asked.wrong else kinds)(chosen, truth, doctor_without_program(known, truth)))
    return print(table(chosen, truth, known))


if __name__ == "__main__":
    main()
