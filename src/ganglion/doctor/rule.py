"""What a finding is made of: a rule over the history, its thresholds, its messages, and ideas of what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.history import History
from ganglion.doctor.remedies.idea import Idea
from ganglion.doctor.verdict import Severity

__all__ = ["Limits", "Rule", "RuleHit", "thresholds", "thresholds_of"]


Limits = Mapping[str, float]
"""A finding's thresholds by name."""


class RuleHit(NamedTuple):
    """Result of a rule that applies."""

    severity: Severity
    since: int
    """Index of the record in the history."""
    evidence: list[Evidence]
    why: str = ""
    """Replaces the rule's own text where the evidence allows a more exact cause."""
    inferred: bool = False
    ideas: tuple[Idea, ...] = ()
    """In place of the rule's own, where the evidence allows more exact ones."""


class Rule(NamedTuple):
    code: str
    check: Callable[[History, Limits], RuleHit | None]
    why: str
    ideas: tuple[Idea, ...]
    """Best first; those that fit a run become its remedies."""
    explains: tuple[str, ...] = ()
    """Codes of findings that this one causes: they are listed after it."""
    is_summary: bool = False
    """Whether it sums up what the records show, so that any other finding is its cause."""


@cache
def thresholds() -> dict[str, dict[str, dict[str, object]]]:
    """The table: by code and name {value, unit, meaning}. One file, so that calibration can rewrite it."""
    text = files("ganglion.doctor").joinpath("thresholds.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, dict[str, object]]] = json.loads(text)
    return table


def thresholds_of(code: str, table: Mapping[str, Mapping[str, Mapping[str, object]]] | None = None) -> dict[str, float]:
    """The thresholds of one finding."""
    rows = (thresholds() if table is None else table).get(code, {})
    return {name: float(str(row["value"])) for name, row in rows.items()}
