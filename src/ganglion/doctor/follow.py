"""Follows a run while it goes on: what is raised and what is cleared, record by record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ganglion.doctor.examine import conclude
from ganglion.doctor.thinned import Thinned
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
    """Examines after each record, with the verdict that `examine` gives on all of them; memory and time stay the same
    however long the run is. A finding that changes its severity is raised again.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]] = (), own_run: bool = True) -> None:
        self._own_run = own_run
        self._kept = Thinned(records)
        self.verdict = conclude(self._kept, own_run)

    def take(self, record: Mapping[str, Any]) -> list[Event]:
        """What changes with this record."""
        before = {finding.code: finding for finding in self.verdict.findings}
        self._kept.add(record)
        self.verdict = conclude(self._kept, self._own_run)
        now = {finding.code: finding for finding in self.verdict.findings}
        step = self.verdict.step
        raised = [
            Event(True, step, finding)
            for code, finding in now.items()
            if code not in before or before[code].severity != finding.severity
        ]
        return raised + [Event(False, step, finding) for code, finding in before.items() if code not in now]
