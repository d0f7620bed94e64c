"""non-finite: a number stopped being finite"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.remedies import R1, SLOWER
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    since = next((i for i, record in enumerate(chart.records) if record.get("non_finite") is not None), None)
    if since is None:
        return None
    bad = chart.records[since]["non_finite"]
    step = int(bad.get("step", chart.steps[since]))
    why = f"The first to go was the {bad.get('tensor', 'loss')}, at step {step:,}. {RULE.why}"
    return Suspicion("failing", since, [Evidence("first step with a NaN or infinity", step, "none")], why)


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
