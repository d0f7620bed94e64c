"""What a run did over time, as the report shows it: records, and findings from when they were raised to when cleared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.runs.folder import Run
from ganglion.vitals.records import Record, read_lines

__all__ = ["RunHistory", "Span", "run_history"]


@dataclass(frozen=True)
class Span:
    """A finding, from when it was raised to when it was cleared, in thousands of images; None: it still stands."""

    code: str
    severity: str
    raised_kimg: float
    cleared_kimg: float | None


@dataclass(frozen=True)
class RunHistory:
    """Oldest first, both."""

    records: list[Record]
    spans: list[Span]

    @property
    def kimg(self) -> float:
        """How far the run has come; 0 where there is no record."""
        return float(self.records[-1]["kimg"]) if self.records else 0.0


def run_history(run: Run) -> RunHistory:
    """Reads `vitals.jsonl` and `findings.jsonl`."""
    records = [record for record in run.records() if "kimg" in record]
    return RunHistory(records, spans_of(read_lines(run.path / "findings.jsonl"), records))


def spans_of(events: Sequence[Mapping[str, Any]], records: Sequence[Record]) -> list[Span]:
    """Events of `findings.jsonl` as spans; one that was raised again with another severity is two."""
    steps = np.array([record["step"] for record in records])
    kimg = np.array([record["kimg"] for record in records])
    found: list[Span] = []
    standing: dict[str, Span] = {}
    for event in events:
        if not len(steps) or "code" not in event or "step" not in event:
            continue
        at = float(np.interp(event["step"], steps, kimg))
        code = event["code"]
        if code in standing:
            before = standing.pop(code)
            found.append(Span(code, before.severity, before.raised_kimg, at))
        if event.get("event") == "raised":
            standing[code] = Span(code, event.get("severity", "watch"), at, None)
    return sorted([*found, *standing.values()], key=lambda span: span.raised_kimg)
