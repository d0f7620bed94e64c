"""What a finding shows is what it was concluded from: each number with a bound lies outside it, in numbers and in print."""

from __future__ import annotations

import math
import random
import re
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.examine import examine
from ganglion.doctor.findings import RULES
from ganglion.doctor.findings.optimization import PENALTIES
from ganglion.doctor.verdict import Finding
from ganglion.recipe.parts import Penalty, PenaltyName
from made_records import SICK, STUCK, healthy, with_values
from stored_records import ILL

Records = list[dict[str, Any]]

PRINTED = re.compile(r"^(?P<name>.*) (?P<value>-?[\d.,]+(?:e[-+]\d+)?)(?: \(expected (?P<expected>[^()]*)\))?$")
BOUND = re.compile(r"^at (?P<side>most|least) (?P<number>-?[\d.]+(?:e[-+]?\d+)?)$")


def number(text: str) -> float:
    return float(text.replace(",", ""))


def within(one: Evidence, value: float) -> bool:
    """Whether a value is what `expected` says, read from the words alone."""
    bound = BOUND.match(one.expected)
    if bound is None:
        return one.expected == "any"
    limit = number(bound["number"])
    return value <= limit if bound["side"] == "most" else value >= limit


def hold(finding: Finding) -> None:
    """What is asked of every finding's evidence."""
    bounded = [one for one in finding.evidence if one.low is not None or one.high is not None]
    assert bounded, finding
    for one in finding.evidence:
        assert math.isfinite(one.value), finding
        assert one.fits == within(one, one.value), finding  # the fields and the words are one bound
        assert one.fits == (one not in bounded), finding
        printed = PRINTED.match(str(one))
        assert printed, str(one)
        assert printed["name"] == one.name
        assert number(printed["value"]) == pytest.approx(one.value, rel=0.006, abs=0.5 if abs(one.value) >= 1000 else 0)
        assert within(one, number(printed["value"])) == one.fits, str(one)  # as a person reads it


def concluded(records: Records, own_run: bool = True) -> list[Finding]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return examine(records, own_run).findings


@pytest.mark.parametrize("code", RULES)
def test_what_a_made_up_run_is_judged_by_lies_outside_what_is_expected(code: str) -> None:
    found: set[str] = set()
    for n in range(2, len(SICK[code]) + 1):
        for finding in concluded(SICK[code][:n]):
            hold(finding)
            found.add(finding.code)
    assert code in found


@pytest.mark.parametrize("name", ILL)
def test_what_a_real_run_is_judged_by_lies_outside_what_is_expected(name: str) -> None:
    records, found = ILL[name]["records"], 0
    for n in {*range(2, len(records), 3), len(records)}:
        for finding in concluded(records[:n], ILL[name]["own_run"]):
            hold(finding)
            found += 1
    assert found


@settings(max_examples=150, deadline=None)
@given(code=st.sampled_from(list(RULES)), seed=st.integers(0, 2**32), kept=st.floats(0.3, 1), spread=st.floats(0, 1))
def test_evidence_holds_where_values_are_missing_and_where_they_vary(
    code: str, seed: int, kept: float, spread: float
) -> None:
    """Columns and single values are left out, others multiplied by chance."""
    dice = random.Random(seed)
    gone = {key for key in SICK[code][-1] if dice.random() > kept} - {"step"}

    def spoilt(record: dict[str, Any]) -> dict[str, Any]:
        return {
            key: value * math.exp(spread * dice.gauss(0, 1)) if isinstance(value, float) and key != "kimg" else value
            for key, value in record.items()
            if key == "step" or (key not in gone and dice.random() < 0.5 + kept / 2)
        }

    for finding in concluded([spoilt(record) for record in SICK[code]]):
        hold(finding)


def of(records: Records, code: str) -> Finding:
    return next(finding for finding in examine(records).findings if finding.code == code)


def named(finding: Finding, words: str) -> Evidence:
    return next(one for one in finding.evidence if words in one.name)


def test_logits_of_fakes_that_explode_are_shown_and_not_those_of_reals() -> None:
    records = with_values(SICK["exploding-gradient"], {
        "logit_real": 2.0, "logit_fake": lambda done: -min(10 * math.exp(12 * done), 1e4),
    })  # fmt: skip
    seen = named(of(records, "exploding-gradient"), "size of D's logits")
    assert (seen.value, seen.high) == (10_000, 300)


@pytest.mark.parametrize("key", sorted(PENALTIES))
def test_each_penalty_on_ds_gradient_is_shown_whatever_others_lack(key: str) -> None:
    records = with_values(SICK["exploding-gradient"], {key: 77.0})
    assert named(of(records, "exploding-gradient"), "penalty on D's gradient").value == 77


def test_the_largest_of_two_penalties_is_shown_where_one_has_ceased() -> None:
    records = with_values(SICK["exploding-gradient"], {"loss_d_r1": 77.0})
    records = [record | ({"loss_d_wgan_gp": 5.0} if 1 < i < 20 else {}) for i, record in enumerate(records)]
    assert named(of(records, "exploding-gradient"), "penalty on D's gradient").value == 77


def test_every_penalty_on_ds_gradient_is_known_to_exploding_gradient() -> None:
    on_gradient = {kind for kind in PenaltyName.__args__ if Penalty(kind=kind).on_gradient}  # type: ignore[attr-defined]
    assert {f"loss_d_{name.replace('-', '_')}" for name in on_gradient} == PENALTIES


def test_a_stalled_run_without_distances_in_its_last_third_is_not_judged() -> None:
    records = [record if i < 40 else {k: v for k, v in record.items() if k != "swd"}
               for i, record in enumerate(SICK["stalled"])]  # fmt: skip
    assert "stalled" not in {finding.code for finding in concluded(records)}


def test_a_data_set_whose_halves_are_equal_has_no_distance_over_its_floor() -> None:
    found: set[str] = set()
    for code in RULES:
        for finding in concluded(with_values(SICK[code], {"swd_floor": 0.0}, first=0)):
            hold(finding)
            found.add(finding.code)
    assert len(found) > len(RULES) / 2


def test_d_that_is_sure_is_not_said_to_be_within_what_is_expected() -> None:
    """An AUC within 0.005 of its bound is printed with as many digits as tell them apart."""
    records = with_values(healthy(), {**STUCK, "separation": 0.9904})
    assert "AUC of D's logits 0.9904 (expected at most 0.99)" in of(records, "discriminator-wins").paragraph()


def test_evidence_without_a_bound_is_printed_as_a_number_alone() -> None:
    assert str(Evidence.context("gradient at G's first layer", 0.5)) == "gradient at G's first layer 0.5"
    assert Evidence.context("x", 1.0).fits


@given(value=st.floats(-1e12, 1e12), limit=st.floats(-1e12, 1e12))
def test_a_value_beyond_its_bound_is_beyond_it_in_print(value: float, limit: float) -> None:
    for one in (Evidence.at_most("x", value, limit), Evidence.at_least("x", value, limit)):
        if value > limit if one.high is not None else value < limit:
            assert not one.fits
            assert not within(one, number(one.shown))
