"""What every finding is made of: a look at the chart, and the words for a person."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from ganglion.doctor.chart import Chart
from ganglion.doctor.verdict import Evidence, Remedy, Severity

__all__ = ["Limits", "Rule", "Suspicion", "limits_of", "thresholds"]

Limits = Mapping[str, float]
"""A finding's thresholds by name."""


class Suspicion(NamedTuple):
    """What a finding's look has come to."""

    severity: Severity
    since: int
    """Place of the record in the chart."""
    evidence: list[Evidence]
    why: str = ""
    """Replaces the rule's own words where the evidence allows a more exact cause."""
    inferred: bool = False


class Rule(NamedTuple):
    code: str
    look: Callable[[Chart, Limits], Suspicion | None]
    why: str
    remedies: tuple[Remedy, ...]
    explains: tuple[str, ...] = ()
    """Codes that follow from this one: they are listed after it."""


@cache
def thresholds() -> dict[str, dict[str, dict[str, object]]]:
    """The table: by code and name {value, unit, meaning}. One file, so that calibration can write it anew."""
    text = files("ganglion.doctor").joinpath("thresholds.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, dict[str, object]]] = json.loads(text)
    return table


def limits_of(code: str, table: Mapping[str, Mapping[str, Mapping[str, object]]] | None = None) -> dict[str, float]:
    """The thresholds of one finding."""
    rows = (thresholds() if table is None else table).get(code, {})
    return {name: float(str(row["value"])) for name, row in rows.items()}
