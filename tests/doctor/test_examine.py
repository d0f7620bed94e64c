from __future__ import annotations

import json
import time

import pytest

from ganglion.doctor.examine import examine
from ganglion.doctor.findings import RULES
from made_records import SICK, STUCK, healthy, with_values


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
    assert any("cannot be told from losses" in reason for reason in verdict.unseen)


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


@pytest.mark.parametrize("code", RULES)
def test_a_verdict_reads_in_plain_text_for_our_runs_and_for_others(code: str) -> None:
    ours, theirs = (examine(SICK[code], own_run=own).text() for own in (True, False))
    assert ours.startswith("Verdict ")
    assert code in ours
    assert "Seen: " in ours
    assert "  1. " in ours
    assert "nan" not in ours.lower().replace("a nan", "").replace("(nan", "")
    assert max(map(len, ours.splitlines())) < 190
    rule = RULES[code]
    if rule.remedies[0].recipe and rule.remedies[0].code:
        assert rule.remedies[0].recipe.split()[0] in ours
        assert rule.remedies[0].code.split()[0] in theirs


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
