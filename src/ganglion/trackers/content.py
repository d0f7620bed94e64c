"""What a tracker is given: the facts of a run, the numbers of a record, findings as text. None of it depends on the tracker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ganglion.runs.events import Outcome
from ganglion.runs.metric_names import scalars
from ganglion.vitals.records import Record

__all__ = ["Finding", "RunFacts", "Tracker", "findings_markdown", "metrics_of", "summary_of"]

Finding = Mapping[str, Any]
"""A line of findings.jsonl."""

SEVERITY = {"watch": 1.0, "failing": 2.0}


@dataclass(frozen=True)
class RunFacts:
    """Of a training, as it begins or is resumed."""

    name: str
    """Of the run folder."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The recipe, and the machine under `environment`; nested."""
    tags: Mapping[str, str] = field(default_factory=dict)


class Tracker(Protocol):
    """A run of another maker's tracker. Each call may raise or hang: `Feed` makes them in a thread of its own."""

    def start(self, facts: RunFacts, known: dict[str, Any]) -> str:
        """Begins a run, or goes on with the one in `known`, where its id is noted. Returns where it can be seen."""

    def record(self, metrics: Mapping[str, float], step: int) -> None:
        """Numbers by their metric name."""

    def sheet(self, name: str, path: Path, step: int) -> None:
        """A picture; `name` is samples/fixed or samples/fresh."""

    def finding(self, event: Finding, still: Sequence[Finding], step: int) -> None:
        """A finding was raised or cleared; `still` are those that hold now."""

    def verdict(self, label: str) -> None:
        """The verdict's state and what the samples are worth, where that has changed."""

    def checkpoint(self, folder: Path) -> None:
        """A folder with recipe and best checkpoint, to be kept as an artifact."""

    def finish(self, outcome: Outcome, summary: Mapping[str, float | str]) -> None:
        """The last call, with the scores at the end."""


def metrics_of(record: Record, still: Sequence[Finding]) -> dict[str, float]:
    """The numbers of a record; and of the findings that hold how many there are, and how severe the worst one is
    (0: none, 1: watch, 2: failing).
    """
    worst = max((SEVERITY.get(str(finding.get("severity")), 1.0) for finding in still), default=0.0)
    return scalars(record) | {"verdict/findings": float(len(still)), "verdict/severity": worst}


def summary_of(records: Sequence[Record], best_step: int | None, label: str) -> dict[str, float | str]:
    """The scores of the best checkpoint, and the verdict in words."""
    best = next((record for record in reversed(records) if record.get("step") == best_step), {})
    scores = {f"best/{key}": float(best[key]) for key in ("step", "frechet", "relative_distance") if key in best}
    return {"verdict": label, **scores}


def findings_markdown(still: Sequence[Finding]) -> str:
    """The findings that hold, with causes and remedies."""
    lines = [f"**Findings: {len(still) or 'none'}**"]
    for finding in still:
        lines += ["", f"### {finding['code']} ({finding['severity']}, since step {finding['since_step']:,})", ""]
        lines += [str(finding["why"]), ""]
        lines += [f"- {one['name']}: {one['value']:.3g}, expected {one['expected']}" for one in finding["evidence"]]
        lines += ["", "What to do:", ""]
        lines += [] if finding["remedies"] else [str(finding["remedy"])]
        for number, remedy in enumerate(finding["remedies"], start=1):
            how = remedy["command"] or remedy["code"]
            lines.append(f"{number}. {remedy['what']}" + (f": `{how}`" if how else ""))
    return "\n".join(lines)
