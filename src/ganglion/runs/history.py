"""A run over time: its records, and the spans of its findings."""

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
    """A finding from raised to cleared, in thousands of images; None: not cleared."""

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
        """Thousands of images at the last record; 0 without records."""
        return float(self.records[-1]["kimg"]) if self.records else 0.0


def run_history(run: Run) -> RunHistory:
    """Reads `vitals.jsonl` and `findings.jsonl`."""
    records = [record for record in run.records() if "kimg" in record]
    return RunHistory(records, spans_of(read_lines(run.path / "findings.jsonl"), records))


def spans_of(events: Sequence[Mapping[str, Any]], records: Sequence[Record]) -> list[Span]:
    """Events of `findings.jsonl` as spans; a finding raised again with another severity gives two."""
    steps = np.array([record["step"] for record in records])
    kimg = np.array([record["kimg"] for record in records])
    closed: list[Span] = []
    open_spans: dict[str, Span] = {}
    for event in events:
        if not len(steps) or "code" not in event or "step" not in event:
            continue
        at = float(np.interp(event["step"], steps, kimg))
        code = event["code"]
        if code in open_spans:
            before = open_spans.pop(code)
            closed.append(Span(code, before.severity, before.raised_kimg, at))
        if event.get("event") == "raised":
            open_spans[code] = Span(code, event.get("severity", "watch"), at, None)
    return sorted([*closed, *open_spans.values()], key=lambda span: span.raised_kimg)
