"""`examine(records)`: from records to a verdict, a pure function; and the same incrementally, record by record."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ganglion.doctor.findings import RULES
from ganglion.doctor.forecast import forecast
from ganglion.doctor.history import BATCH, SUSTAINED_RECORDS, History, Thinned
from ganglion.doctor.probability import chance_of
from ganglion.doctor.remedies.idea import Idea, known_of
from ganglion.doctor.remedies.propose import proposed, weights_help
from ganglion.doctor.rule import Rule, thresholds_of
from ganglion.doctor.run_setup import RunSetup
from ganglion.doctor.verdict import Finding, Remedy, State, Verdict

__all__ = ["FindingEvent", "IncrementalDiagnosis", "conclude", "examine", "severity_of"]


Table = Mapping[str, Mapping[str, Mapping[str, object]]]

LEAST_KIMG = 2.0
"""Below, a run is too short for findings that have to last."""

NEEDED = {
    "separation": "how well D separates reals from fakes",
    "diversity": "the samples: collapse, noise and memorisation do not show in losses",
    "grad_g_first": "gradients",
}
"""Keys without which a run is not called healthy."""


def examine(
    records: Sequence[Mapping[str, Any]], own_run: bool = True, table: Table | None = None, objective: str = "",
    setup: RunSetup | None = None,
) -> Verdict:  # fmt: skip
    """The verdict on a run's records, oldest first. `own_run`: of `ganglion train`, not of a loop of the user's own.

    `table` replaces the thresholds, for calibration. `objective` is what a log's losses look like (`readers.objective`), where
    that is not known. `setup` is how an own run was started: remedies are then commands for it, otherwise words that fit any
    recipe. Of a long run only the records that `Thinned` keeps are used.
    """
    return conclude(Thinned(records), own_run, table, objective, setup)


def conclude(
    kept: Thinned, own_run: bool = True, table: Table | None = None, objective: str = "", setup: RunSetup | None = None
) -> Verdict:
    """The same from thinned records. Milliseconds, whatever the length of the run."""
    history = History(kept.records, objective)
    if not len(history):
        return Verdict("unknown", unseen=["there are no records"], own_run=own_run)
    treat = partial(proposed, known=known_of(history), own_run=own_run, setup=setup, good_weights=weights_help(history))
    found: list[Finding] = []
    for rule in RULES.values():
        history.worst = severity_of(found)  # of all others, once it is the last one's turn, which sums them up
        found += filter(None, [_finding(rule, history, table, treat)])
    unseen = [f"{what} ({when})" for key, what in NEEDED.items() if (when := _when_missing(history, key))]
    if len(history) < SUSTAINED_RECORDS:
        there = f"there {'is 1 record' if len(history) == 1 else f'are {len(history)} records'}"
        unseen.append(f"findings that have to last: {there}, {SUSTAINED_RECORDS} are needed")
    elif history.kimg[-1] < LEAST_KIMG:
        if history.batch_is_assumed:
            seen = f"D has seen about {1000 * history.kimg[-1]:,.0f} images, if a batch has {BATCH} (--batch N tells)"
        else:
            seen = f"D has seen {1000 * history.kimg[-1]:,.0f} images"
        unseen.append(f"findings that have to last: {seen}; {1000 * LEAST_KIMG:,.0f} are needed")
    shown, reasons = (_texts(history.records[-1].get(key)) for key in ("seen", "unseen"))
    return Verdict(
        _state(found, bool(unseen)), _ordered(found), int(history.steps[-1]), [*unseen, *reasons], own_run, seen=shown,
        forecast=forecast(history), chance=chance_of(history),
    )  # fmt: skip


def severity_of(findings: Iterable[Finding]) -> int:
    """Of the worst: 0 where there is none, 1 watch, 2 failing."""
    return max((1 + (finding.severity == "failing") for finding in findings), default=0)


def _when_missing(history: History, key: str) -> str | None:
    """Since when a number is missing; None where it is among the newest records, and not only now and then."""
    newest = history[key][-2 * history.window :]
    known = int((~np.isnan(newest)).sum())
    if not np.isnan(newest[-history.window :]).all() and known >= min(SUSTAINED_RECORDS, math.ceil(len(newest) / 2)):
        return None
    steps = history.steps[~np.isnan(history[key])]
    if not len(steps):
        return f"{key} is not in the records"
    return f"{key} is in {len(steps)} of {len(history)} records, the last of step {int(steps[-1]):,}"


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _finding(
    rule: Rule, history: History, table: Table | None, treat: Callable[[Iterable[Idea]], list[Remedy]]
) -> Finding | None:
    with np.errstate(all="ignore"):  # quotients with 0 or NaN are not finite, and are dropped below
        hit = rule.check(history, thresholds_of(rule.code, table))
    if hit is None:
        return None
    evidence = [one for one in hit.evidence if math.isfinite(one.value)]
    return Finding(
        rule.code, hit.severity, int(history.steps[max(0, hit.since)]), evidence, hit.why or rule.why,
        treat(hit.ideas or rule.ideas), hit.inferred,
    )  # fmt: skip


def _state(found: list[Finding], incomplete: bool) -> State:
    severities = {finding.severity for finding in found}
    if "failing" in severities:
        return "failing"
    if "watch" in severities:
        return "watch"
    return "unknown" if incomplete else "healthy"


def _ordered(findings: list[Finding]) -> list[Finding]:
    """Causes first, failing before watch; a consequence names its cause. Of two findings that explain each other, the one
    that RULES lists first is the cause.
    """
    codes = [code for code in RULES if any(finding.code == code for finding in findings)]
    causes: dict[str, str | None] = {
        code: next((other for other in codes[:i] if code in RULES[other].explains or RULES[code].is_summary), None)
        for i, code in enumerate(codes)
    }
    with_causes = [replace(finding, because_of=causes[finding.code]) for finding in findings]
    return sorted(with_causes, key=lambda f: (f.because_of is not None, f.severity != "failing", codes.index(f.code)))


class FindingEvent(NamedTuple):
    """A line of `findings.jsonl`."""

    raised: bool
    step: int
    finding: Finding

    def text(self, unit: str = "step") -> str:
        """For a terminal."""
        if self.raised:
            return self.finding.paragraph(unit)
        return f"cleared at {unit} {self.step:,}: {self.finding.code}"

    def to_json(self) -> dict[str, Any]:
        verdict = Verdict("watch", [self.finding]).to_json()
        return {"event": "raised" if self.raised else "cleared", "step": self.step, **verdict["findings"][0]}


class IncrementalDiagnosis:
    """Verdict after each record, equal to that of `examine` on all of them; memory and time per record do not grow with the
    run. A finding that changes its severity is raised again.
    """

    def __init__(
        self, records: Iterable[Mapping[str, Any]] = (), own_run: bool = True, setup: RunSetup | None = None
    ) -> None:
        self._own_run = own_run
        self._kept = Thinned(records)
        self.verdict = conclude(self._kept, own_run, setup=setup)

    def take(self, record: Mapping[str, Any], setup: RunSetup | None = None) -> list[FindingEvent]:
        """Findings that this record raises or clears, in a run that was started as `setup` says."""
        before = {finding.code: finding for finding in self.verdict.findings}
        self._kept.add(record)
        self.verdict = conclude(self._kept, self._own_run, setup=setup)
        now = {finding.code: finding for finding in self.verdict.findings}
        step = self.verdict.step
        raised = [
            FindingEvent(True, step, finding)
            for code, finding in now.items()
            if code not in before or before[code].severity != finding.severity
        ]
        return raised + [FindingEvent(False, step, finding) for code, finding in before.items() if code not in now]
