"""What is concluded from losses, probabilities and scores alone, as other programs' logs have them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ganglion.doctor.examine import examine
from ganglion.doctor.verdict import Verdict
from stored_records import WELL

Value = float | Callable[[int], float]


def judged(values: Mapping[str, Value], objective: str = "logistic", n: int = 100, every: int = 50) -> Verdict:
    records = [
        {"step": every * i, **{key: value(i) if callable(value) else value for key, value in values.items()}}
        for i in range(n)
    ]
    return examine(records, own_run=False, objective=objective)


def codes(verdict: Verdict) -> list[str]:
    return [finding.code for finding in verdict.findings]


def test_a_d_that_is_sure_for_two_thousand_steps_wins() -> None:
    verdict = judged({"loss_d": 0.03, "loss_g": 4.0, "d_real": 0.97, "d_fake": 0.02})
    assert codes(verdict) == ["discriminator-wins"]
    assert verdict.findings[0].inferred
    assert verdict.state == "watch"


def test_of_samples_that_nobody_saw_nothing_is_said() -> None:
    verdict = judged({"loss_d": 0.002, "loss_g": 8.0})
    assert codes(verdict) == ["discriminator-wins"]
    assert "not approaching" not in verdict.text()
    assert "Whether samples still improve is not in the log" in verdict.findings[0].why
    weak = judged({"loss_d": 3.0, "loss_g": 0.01})
    assert codes(weak) == ["generator-wins"]
    assert "not in the log" in weak.findings[0].why


@pytest.mark.parametrize("objective", ["margin", "hinge", "relativistic", "least-squares", "wasserstein", "unknown"])
def test_what_is_false_under_another_objective_is_not_raised(objective: str) -> None:
    """A relativistic hinge with D at 0.000 trains well."""
    assert codes(judged({"loss_d": 0.0, "loss_g": 15.0}, objective)) == []
    assert codes(judged({"loss_d": 3.0, "loss_g": 0.01}, objective)) == []


@pytest.mark.parametrize("constant", [100.0, 50.0, 16.118, 8.059, 27.631, 13.8155, 6.908])
def test_a_loss_at_a_clamp_or_at_half_of_it_is_recognised(constant: float) -> None:
    for key in ("loss_d", "loss_g"):
        assert codes(judged({"loss_d": 0.5, "loss_g": 0.9} | {key: constant}))[:1] == ["loss-clamped"]
    assert "loss-clamped" not in codes(judged({"loss_d": constant, "loss_g": 1.0}, "wasserstein"))
    assert "loss-clamped" not in codes(judged({"loss_d": lambda i: constant * (1 + 0.05 * math.sin(i)), "loss_g": 1.0}))


def scored(values: list[float], every: int = 10) -> Verdict:
    """A log with an FID in every tenth record."""
    records: list[dict[str, Any]] = [{"step": i, "loss_d": 1.0, "loss_g": 1.0} for i in range(every * len(values))]
    for i, value in enumerate(values):
        records[every * i]["fid"] = value
    return examine(records, own_run=False, objective="logistic")


def test_a_few_scores_among_many_records_tell_a_late_collapse() -> None:
    verdict = scored([300, 150, 80, 50, 40, 38, 37, 120, 200, 210])
    assert codes(verdict) == ["late-collapse"]
    assert verdict.findings[0].since_step == 70


@pytest.mark.parametrize(
    "values",
    [
        [300, 150, 80, 50, 40, 38, 37, 36, 38, 37],
        [300, 150, 80, 50, 40, 200, 40, 38, 36, 35],
        [300, 80, 40, 39, 38, 120, 37],
    ],
)
def test_scores_that_fall_or_rise_only_once_are_no_collapse(values: list[float]) -> None:
    assert codes(scored(values)) == []


def test_the_level_of_a_wasserstein_critic_is_no_explosion() -> None:
    values: dict[str, Value] = {
        "logit_real": lambda i: -10.0 * i,
        "logit_fake": lambda i: -10.0 * i - 3,
        "grad_d": lambda i: 1 + i,
    }
    assert "exploding-gradient" in codes(judged(values))
    assert codes(judged(values, "wasserstein")) == []


KEPT = [
    {"step", "loss_d", "loss_g"}, {"step", "loss_d", "loss_g", "d_real", "d_fake"}, {"step", "d_real", "d_fake"},
    {"step", "loss_d", "loss_g", "grad_g", "grad_d"},
]  # fmt: skip


@pytest.mark.parametrize("kept", KEPT, ids=lambda keys: "-".join(sorted(keys)))
@pytest.mark.parametrize("name", [name for name in WELL if "wgan" not in name])
def test_a_real_run_that_is_well_has_no_finding_by_its_losses_either(name: str, kept: set[str]) -> None:
    records = [{key: value for key, value in record.items() if key in kept} for record in WELL[name]["records"]]
    for n in range(1, len(records) + 1, 3):
        assert codes(examine(records[:n], own_run=False, objective="logistic")) == [], n


def test_epochs_are_not_taken_for_steps_of_a_batch() -> None:
    records = [{"step": e, "unit": "epoch", "loss_d": 0.5, "loss_g": 0.9} for e in range(1, 21)]
    verdict = examine(records, own_run=False)
    assert not any("images" in reason for reason in verdict.unseen)
    assert any(
        "about 640 images, if a batch has 32" in reason for reason in judged({"loss_d": 0.5}, n=21, every=1).unseen
    )


def test_counts_agree_in_number() -> None:
    assert any("there is 1 record," in reason for reason in judged({"loss_d": 0.5}, n=1).unseen)
    assert any("there are 2 records," in reason for reason in judged({"loss_d": 0.5}, n=2).unseen)
