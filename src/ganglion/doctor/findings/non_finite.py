"""non-finite: a number stopped being finite"""

from __future__ import annotations

from collections.abc import Mapping

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import R1, SLOWER
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy
from ganglion.vitals.records import is_step

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    bad = [place for place, record in enumerate(chart.records) if record.get("non_finite") is not None]
    if not bad:
        return None
    first = chart.records[bad[0]]["non_finite"]
    named = first if isinstance(first, Mapping) else {}
    step = named["step"] if is_step(named.get("step")) else int(chart.steps[bad[0]])
    why = f"The first to go was the {named.get('tensor', 'loss')}, at step {step:,}. {RULE.why}"
    seen = [
        Evidence.context("first step with a NaN or infinity", step),
        Evidence.at_most("records with a NaN or infinity", len(bad), 0),
    ]
    return Suspicion("failing", bad[0], seen, why)


RULE = Rule(
    "non-finite",
    look,
    "A NaN or an infinity spreads to every weight within one update and never goes away, so nothing that "
    "is trained after it is of use.",
    (
        SLOWER,
        Remedy(
            "Compute in float32, to see whether 16 bits were too few",
            "--precision 32",
            "leave autocast out for the penalty and the losses",
        ),
        R1,
    ),
    explains=(
        "exploding-gradient",
        "blank-collapse",
        "noise-collapse",
        "late-collapse",
        "learning-rate-too-high",
    ),
)
