from __future__ import annotations

import json
import math
import random
import time
import weakref
from typing import Any

import pytest

from ganglion.doctor.examine import IncrementalDiagnosis, examine
from ganglion.doctor.findings import RULES
from ganglion.doctor.history import EVEN, SCORED
from made_records import FLOOR, SICK, STUCK, healthy, with_values


def test_nothing_seen_is_unknown() -> None:
    verdict = examine([])
    assert verdict.state == "unknown"
    assert verdict.unseen == ["there are no records"]


def test_too_few_records_are_unknown_and_say_so() -> None:
    verdict = examine(healthy(3))
    assert verdict.state == "unknown"
    assert any("there are 3 records, 5 are needed" in reason for reason in verdict.unseen)


def test_losses_alone_are_never_called_healthy() -> None:
    verdict = examine([{"step": i, "loss_d": 1.2, "loss_g": 0.9} for i in range(100)])
    assert verdict.state == "unknown"
    assert any("do not show in losses" in reason for reason in verdict.unseen)


def test_losses_alone_say_what_they_can_and_how_sure() -> None:
    verdict = examine([{"step": i, "loss_d": 0.001, "loss_g": 9.0} for i in range(50)], own_run=False)
    assert verdict.state == "watch"
    (finding,) = verdict.findings
    assert (finding.code, finding.inferred) == ("discriminator-wins", True)
    assert "(from losses alone)" in verdict.text()


def test_failing_outweighs_watch() -> None:
    assert examine(SICK["clip-saturation"]).state == "watch"
    assert examine(SICK["mode-collapse"]).state == "failing"


def test_causes_stand_before_consequences_and_these_name_them() -> None:
    codes = {finding.code: finding for finding in examine(SICK["vanishing-generator-gradient"]).findings}
    assert next(iter(codes)) == "vanishing-generator-gradient"
    assert codes["vanishing-generator-gradient"].because_of is None
    assert codes["discriminator-wins"].because_of == "vanishing-generator-gradient"


def test_of_two_that_explain_each_other_one_is_the_cause() -> None:
    both = with_values(healthy(), {**STUCK, "separation": 0.2, "diversity": 0.1, "contrast": 1.0})
    findings = examine(both).findings
    assert [f.because_of for f in findings].count(None) == 1


def code_of(text: str, number: int) -> str:
    """What stands behind the colon of a remedy."""
    line = next(line for line in text.splitlines() if line.startswith(f"  {number}. "))
    return line.partition(". ")[2]


@pytest.mark.parametrize("code", RULES)
def test_a_verdict_reads_in_plain_text_for_our_runs_and_for_others(code: str) -> None:
    ours, theirs = (examine(SICK[code], own_run=own).text() for own in (True, False))
    assert ours.startswith("Verdict ")
    assert code in ours
    assert "Measured: " in ours
    assert "  1. " in ours
    assert "nan" not in ours.lower().replace("a nan", "").replace("(nan", "")
    assert max(map(len, ours.splitlines())) < 190
    first = RULES[code].ideas[0]
    assert code_of(theirs, 1)
    assert first.what.split()[0] in theirs
    assert "--" not in ours.partition("Measured: ")[2]  # of which recipe it would be is not known


def test_it_is_pure() -> None:
    records = SICK["mode-collapse"]
    before = json.dumps(records)
    assert examine(records) == examine(records)
    assert json.dumps(records) == before


def test_it_takes_milliseconds_whatever_the_length_of_the_run() -> None:
    long = [record | {"step": i} for i, record in enumerate(healthy(100) * 100)]
    began = time.perf_counter()
    for _ in range(3):
        examine(long)
    assert (time.perf_counter() - began) / 3 < 0.5


def test_of_many_bad_numbers_the_first_is_named() -> None:
    records = healthy()
    spoilt = [
        record | ({"non_finite": {"step": record["step"], "tensor": "loss"}} if i >= 30 else {})
        for i, record in enumerate(records)
    ]
    finding = examine(spoilt).findings[0]
    assert finding.code == "non-finite"
    assert finding.evidence[0].value == finding.since_step == records[30]["step"]


def test_a_finding_is_raised_once_and_cleared_when_it_is_over() -> None:
    ill = with_values(healthy(100), {"train_eval": 0.9}, first=30)
    well_again = [record if i < 45 else healthy(100)[i] for i, record in enumerate(ill)]
    follower = IncrementalDiagnosis()
    events = [event for record in well_again for event in follower.take(record)]
    assert [(event.raised, event.finding.code) for event in events] == [
        (True, "batchnorm-mismatch"),
        (False, "batchnorm-mismatch"),
    ]
    raised, cleared = events
    assert 30 * 50 < raised.step < 45 * 50 <= cleared.step
    assert "watch: batchnorm-mismatch" in raised.text()
    assert cleared.text() == f"cleared at step {cleared.step:,}: batchnorm-mismatch"


def test_a_severity_that_changes_is_told() -> None:
    rising = with_values(healthy(100), {"held_out": lambda done: 0.8 + 0.2 * done, "swd": 400.0})
    follower = IncrementalDiagnosis()
    events = [event for record in rising for event in follower.take(record)]
    assert [(e.raised, e.finding.severity) for e in events if e.finding.code == "discriminator-overfitting"] == [
        (True, "watch"), (True, "failing"),
    ]  # fmt: skip


def test_an_event_is_a_line_of_json() -> None:
    follower = IncrementalDiagnosis()
    events = [event for record in SICK["mode-collapse"] for event in follower.take(record)]
    line = json.loads(json.dumps(events[0].to_json(), allow_nan=False))
    assert line["event"] == "raised"
    assert line["code"]
    assert {"step", "severity", "since_step", "evidence", "why", "remedy", "remedies"} <= line.keys()


def test_a_follower_that_begins_in_the_midst_knows_what_was_before() -> None:
    records = SICK["mode-collapse"]
    follower = IncrementalDiagnosis(records[:-1])
    assert follower.verdict == examine(records[:-1])
    follower.take(records[-1])
    assert follower.verdict == examine(records)


FAULTS: dict[str, Any] = {
    "swd": lambda done: FLOOR * (6 if done > 0.6 else 1.2), "nearest": lambda done: 0.7 + 0.3 * done,
    "logit_real": lambda done: 10 * math.exp(12 * done), "grad_d": lambda done: 5 * math.exp(10 * done), "update_g": 0.2,
    "weight_g": lambda done: 10 * math.exp(4 * done), "held_out": lambda done: 0.6 + 0.4 * done,
}  # fmt: skip
RAISED = {"late-collapse", "exploding-gradient", "learning-rate-too-high", "discriminator-overfitting"}


def noisy(values: dict[str, Any], n: int = 2000) -> list[dict[str, Any]]:
    dice = random.Random(0)
    return [
        {
            key: value * math.exp(0.01 * dice.gauss(0, 1)) if isinstance(value, float) and key != "kimg" else value
            for key, value in record.items()
        }
        for record in with_values(healthy(n), values)
    ]


def test_a_run_is_judged_while_it_goes_on_as_it_is_afterwards() -> None:
    """To the last digit of the evidence."""
    records = noisy(FAULTS)
    follower = IncrementalDiagnosis()
    for n, record in enumerate(records, start=1):
        follower.take(record)
        if n % 97 == 0 or n > 1980:
            assert follower.verdict == examine(records[:n]), n
    assert {finding.code for finding in follower.verdict.findings} >= RAISED


@pytest.mark.parametrize("begin", [319, 640])
def test_a_resumed_run_is_judged_as_one_that_went_through(begin: int) -> None:
    records = noisy(FAULTS, 700)
    follower = IncrementalDiagnosis(records[:begin])
    for record in records[begin:]:
        follower.take(record)
    assert follower.verdict == examine(records)


def test_a_bad_number_is_not_forgotten_however_long_the_run_goes_on() -> None:
    records = healthy(2000)
    records[77] = records[77] | {"non_finite": {"step": 3845, "tensor": "loss of the generator"}}
    follower = IncrementalDiagnosis(records[:1990])
    for record in records[1990:]:
        assert follower.take(record) == []
    finding = follower.verdict.findings[0]
    assert (finding.code, finding.evidence[0].value) == ("non-finite", 3845)


class Held(dict[str, Any]):
    """A record of which one can tell whether it still exists."""


def test_memory_does_not_grow_with_the_run() -> None:
    follower, born = IncrementalDiagnosis(), []
    for i in range(1000):
        record = Held(step=i, kimg=i / 10, separation=0.9)
        born.append(weakref.ref(record))
        follower.take(record)
    del record
    assert sum(one() is not None for one in born) <= EVEN + SCORED + 2
    assert follower.verdict.step == 999


def slowly_nearer(n: int) -> list[dict[str, Any]]:
    """10,000 kimg in n records: the distance falls as a power of the images, and D separates nearly all pairs."""
    records = healthy(n)
    for i, record in enumerate(records):
        far = 20 * FLOOR * (1 + 100 * i / n) ** -0.3
        record.update(step=50_000 * i // n, kimg=10_000 * i / n, swd=far, separation=0.995)
    return records


@pytest.mark.parametrize("n", [600, 2000, 5000])
def test_the_verdict_on_a_run_is_that_of_fewer_records_of_it(n: int) -> None:
    few, many = examine(slowly_nearer(200)), examine(slowly_nearer(n))
    assert [(f.code, f.severity) for f in many.findings] == [(f.code, f.severity) for f in few.findings]
