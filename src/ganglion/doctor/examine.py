"""`examine(records)`: from numbers to a verdict, a pure function; and the same record by record while a run goes on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ganglion.doctor.findings import RULES
from ganglion.doctor.history import SUSTAINED_RECORDS, History, Thinned
from ganglion.doctor.rule import Rule, thresholds_of
from ganglion.doctor.verdict import Finding, State, Verdict

__all__ = ["FindingEvent", "IncrementalDiagnosis", "conclude", "examine"]


Table = Mapping[str, Mapping[str, Mapping[str, object]]]

LEAST_KIMG = 2.0
"""Below, nothing that lasts has had the time to."""

NEEDED = {
    "separation": "how well D tells real from fake",
    "diversity": "the samples themselves: collapse, noise and memorising cannot be told from losses",
    "grad_g_first": "gradients",
}
"""Without these a run cannot be called healthy."""


def examine(records: Sequence[Mapping[str, Any]], own_run: bool = True, table: Table | None = None) -> Verdict:
    """The verdict on a run's records, oldest first. `own_run`: remedies are options of `ganglion train`.

    `table` replaces the thresholds, for calibration. Of a long run it looks at the records that `Thinned` keeps.
    """
    return conclude(Thinned(records), own_run, table)


def conclude(kept: Thinned, own_run: bool = True, table: Table | None = None) -> Verdict:
    """The same from the records that were kept while a run went on. Milliseconds, whatever its length."""
    history = History(kept.records)
    if not len(history):
        return Verdict("unknown", unseen=["there are no records"], own_run=own_run)
    found = [finding for rule in RULES.values() if (finding := _finding(rule, history, table))]
    unseen = [f"{what} ({key} is not in the records)" for key, what in NEEDED.items() if not history.has(key, 1)]
    if len(history) < SUSTAINED_RECORDS:
        unseen.append(f"anything that takes time: there are {len(history)} records, {SUSTAINED_RECORDS} are needed")
    elif history.kimg[-1] < LEAST_KIMG:
        unseen.append(f"anything that takes time: D was shown {1000 * history.kimg[-1]:,.0f} images")
    return Verdict(_state(found, bool(unseen)), _ordered(found), int(history.steps[-1]), unseen, own_run)


def _finding(rule: Rule, history: History, table: Table | None) -> Finding | None:
    with np.errstate(
        all="ignore"
    ):  # quotients of what is 0 or was not measured are no evidence, and are left out below
        seen = rule.look(history, thresholds_of(rule.code, table))
    if seen is None:
        return None
    measured = [evidence for evidence in seen.evidence if math.isfinite(evidence.value)]
    return Finding(
        rule.code, seen.severity, int(history.steps[max(0, seen.since)]), measured, seen.why or rule.why,
        list(rule.remedies), seen.inferred,
    )  # fmt: skip


def _state(found: list[Finding], incomplete: bool) -> State:
    severities = {finding.severity for finding in found}
    if "failing" in severities:
        return "failing"
    if "watch" in severities:
        return "watch"
    return "unknown" if incomplete else "healthy"


def _ordered(found: list[Finding]) -> list[Finding]:
    """Causes first, failing before watch; a finding that follows from another says so. Of two that explain each other, the
    one that RULES lists first is the cause.
    """
    codes = [code for code in RULES if any(finding.code == code for finding in found)]
    causes: dict[str, str | None] = {
        code: next((other for other in codes[:place] if code in RULES[other].explains), None)
        for place, code in enumerate(codes)
    }
    named = [replace(finding, because_of=causes[finding.code]) for finding in found]
    return sorted(named, key=lambda f: (f.because_of is not None, f.severity != "failing", codes.index(f.code)))


class FindingEvent(NamedTuple):
    """A line of `findings.jsonl`."""

    raised: bool
    step: int
    finding: Finding

    def text(self, own_run: bool = True) -> str:
        """For a terminal."""
        if self.raised:
            return self.finding.paragraph(own_run)
        return f"cleared at step {self.step:,}: {self.finding.code}"

    def to_json(self) -> dict[str, Any]:
        verdict = Verdict("watch", [self.finding]).to_json()
        return {"event": "raised" if self.raised else "cleared", "step": self.step, **verdict["findings"][0]}


class IncrementalDiagnosis:
    """Examines after each record, with the verdict that `examine` gives on all of them; memory and time stay the same
    however long the run is. A finding that changes its severity is raised again.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]] = (), own_run: bool = True) -> None:
        self._own_run = own_run
        self._kept = Thinned(records)
        self.verdict = conclude(self._kept, own_run)

    def take(self, record: Mapping[str, Any]) -> list[FindingEvent]:
        """What changes with this record."""
        before = {finding.code: finding for finding in self.verdict.findings}
        self._kept.add(record)
        self.verdict = conclude(self._kept, self._own_run)
        now = {finding.code: finding for finding in self.verdict.findings}
        step = self.verdict.step
        raised = [
            FindingEvent(True, step, finding)
            for code, finding in now.items()
            if code not in before or before[code].severity != finding.severity
        ]
        return raised + [FindingEvent(False, step, finding) for code, finding in before.items() if code not in now]
