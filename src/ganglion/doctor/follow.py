"""Follows a run while it goes on: what is raised and what is cleared, record by record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ganglion.doctor.chart import THINNED, WHOLE
from ganglion.doctor.examine import examine
from ganglion.doctor.verdict import Finding, Verdict

__all__ = ["Event", "Follower"]


class Event(NamedTuple):
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


class Follower:
    """Examines after each record. A finding that changes its severity is raised again."""

    def __init__(self, records: Iterable[Mapping[str, Any]] = (), own_run: bool = True) -> None:
        self._own_run = own_run
        self._records: list[Mapping[str, Any]] = list(records)
        self.verdict = examine(self._records, own_run)

    def take(self, record: Mapping[str, Any]) -> list[Event]:
        """What changes with this record."""
        before = {finding.code: finding for finding in self.verdict.findings}
        self._records.append(record)
        self._forget()
        self.verdict = examine(self._records, self._own_run)
        now = {finding.code: finding for finding in self.verdict.findings}
        step = self.verdict.step
        raised = [
            Event(True, step, finding)
            for code, finding in now.items()
            if code not in before or before[code].severity != finding.severity
        ]
        return raised + [Event(False, step, finding) for code, finding in before.items() if code not in now]

    def _forget(self) -> None:
        """Of a long run every second of the older records goes, so that memory and time stay the same."""
        if len(self._records) > 4 * (WHOLE + THINNED):
            old, new = self._records[:-WHOLE], self._records[-WHOLE:]
            self._records = old[::2] + new
