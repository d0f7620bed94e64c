"""`examine(records)`: from numbers to a verdict. A pure function: the same records give the same verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ganglion.doctor.chart import SUSTAINED_RECORDS, Chart
from ganglion.doctor.findings import RULES
from ganglion.doctor.rule import Rule, limits_of
from ganglion.doctor.thinned import Thinned
from ganglion.doctor.verdict import Finding, State, Verdict

__all__ = ["conclude", "examine"]

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
    chart = Chart(kept.records)
    if not len(chart):
        return Verdict("unknown", unseen=["there are no records"], own_run=own_run)
    found = [finding for rule in RULES.values() if (finding := _finding(rule, chart, table))]
    unseen = [f"{what} ({key} is not in the records)" for key, what in NEEDED.items() if not chart.has(key, 1)]
    if len(chart) < SUSTAINED_RECORDS:
        unseen.append(f"anything that takes time: there are {len(chart)} records, {SUSTAINED_RECORDS} are needed")
    elif chart.kimg[-1] < LEAST_KIMG:
        unseen.append(f"anything that takes time: D was shown {1000 * chart.kimg[-1]:,.0f} images")
    return Verdict(_state(found, bool(unseen)), _ordered(found), int(chart.steps[-1]), unseen, own_run)


def _finding(rule: Rule, chart: Chart, table: Table | None) -> Finding | None:
    seen = rule.look(chart, limits_of(rule.code, table))
    if seen is None:
        return None
    measured = [evidence for evidence in seen.evidence if math.isfinite(evidence.value)]
    return Finding(
        rule.code, seen.severity, int(chart.steps[max(0, seen.since)]), measured, seen.why or rule.why,
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
