"""When a finding is failing and when watch: whether samples still approach the data; and the causes that are told apart."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ganglion.doctor.examine import examine
from ganglion.doctor.verdict import Finding
from made_records import FLOOR, SICK, healthy, with_values

STUCK, NEAR = {"swd": 6 * FLOOR}, {"swd": 1.2 * FLOOR}


def falling(done: float) -> float:
    """A distance that is far, and falls by a third in each tenth of the run."""
    return FLOOR * (3 + 30 * math.exp(-4 * done))


def found(code: str, values: dict[str, Any], first: int = 1, own_run: bool = False) -> Finding | None:
    verdict = examine(with_values(healthy(100), values, first), own_run)
    return next((finding for finding in verdict.findings if finding.code == code), None)


def severity(code: str, values: dict[str, Any]) -> str | None:
    finding = found(code, values)
    return finding.severity if finding else None


ALIKE = {"diversity": 0.15, "contrast": 0.8}
WON = {"separation": 1.0}
MISTAKES: dict[str, dict[str, Any]] = {
    "range-mismatch": {"range_real": [0.0, 1.0, 0.5, 0.3]},
    "padding-shortcut": {"separation_eval": 1.0, "separation_framed": 0.45},
    "optimizer-crosstalk": {"moves_d_with_g": 1.0},
    "gradients-not-zeroed": {"unzeroed_d": 1.0},
    "eval-mode": {"eval_mode_g": 1.0},
    "labels-swapped": {"pull_g_fake": -1.0},
    "discriminator-overfitting": {"held_out": 0.99},
}


@pytest.mark.parametrize("code", MISTAKES)
def test_a_mistake_is_failing_where_samples_are_far_and_stay_there(code: str) -> None:
    assert severity(code, MISTAKES[code] | STUCK) == "failing"
    assert severity(code, MISTAKES[code] | NEAR) == "watch"
    assert severity(code, MISTAKES[code] | {"swd": falling}) == "watch"


@pytest.mark.parametrize("code", MISTAKES)
def test_a_mistake_is_failing_where_samples_come_nearer_too_slowly_to_arrive(code: str) -> None:
    def slowly(done: float) -> float:
        return FLOOR * (9 - 2.5 * done)  # seven tenths of it would be left after as long again

    assert severity(code, MISTAKES[code] | {"swd": slowly}) == "failing"


@pytest.mark.parametrize(("code", "values"), [("discriminator-wins", WON), ("mode-collapse", ALIKE)])
def test_what_recovers_in_most_runs_is_failing_once_samples_no_longer_approach_the_data(
    code: str, values: dict[str, Any]
) -> None:
    assert severity(code, values | STUCK) == "failing"
    assert severity(code, values | {"swd": falling}) in ("watch", None)


def test_samples_that_are_one_image_are_failing_whatever_their_distance() -> None:
    assert severity("mode-collapse", {"swd": falling, "diversity": 0.05, "contrast": 0.8}) == "failing"


def test_an_oscillation_near_the_data_is_watched() -> None:
    def swings(level: float) -> dict[str, Any]:
        return {"swd": lambda done: FLOOR * level * (1 + 0.3 * math.exp(3 * (done - 1)) * math.sin(40 * done))}

    assert severity("growing-oscillation", swings(6.0)) == "failing"
    assert severity("growing-oscillation", swings(1.5)) == "watch"


def test_a_g_that_hardly_moves_beside_a_d_that_learns_is_told_to_move() -> None:
    finding = found("learning-rate-too-low", STUCK | WON | {"update_g": 1e-4, "lr_g": 2e-6})
    assert finding is not None
    assert "G's updates are so small" in finding.why
    assert finding.remedies[0].name == "raise-g-rate"
    assert "yours is 2e-06, set it to 0.0001" in finding.remedies[0].code


def test_a_g_that_moves_less_than_in_good_runs_is_watched_unless_it_moved_at_first() -> None:
    slow = {"swd": 6 * FLOOR, "update_g": 1e-3, "lr_g": 2e-5}
    finding = found("learning-rate-too-low", slow)
    assert finding is not None
    assert finding.severity == "watch"
    assert (finding.remedies[0].name, finding.remedies[0].code) == ("raise-g-rate", "yours is 2e-05, set it to 0.0001")
    assert found("learning-rate-too-low", slow | {"swd": 1.2 * FLOOR}) is None
    assert found("learning-rate-too-low", slow | {"update_g": lambda done: 1e-2 if done < 0.1 else 1e-3}) is None
    decayed = slow | {"update_g": lambda done: 1e-2 * (1 - done), "lr_g": lambda done: 2e-4 * (1 - done)}
    assert found("learning-rate-too-low", decayed) is None


def test_a_g_whose_large_updates_have_ended_has_no_rate_that_is_too_low() -> None:
    assert found("learning-rate-too-low", STUCK | WON | {"update_g": lambda done: 1e-2 * math.exp(-8 * done)}) is None


def test_a_d_that_moves_as_in_good_runs_is_left_alone_however_g_began() -> None:
    slow = {"swd": 6 * FLOOR, "update_g": lambda done: 2e-3 if done < 0.1 else 1e-3, "update_d": 1e-2}
    finding = found("learning-rate-too-low", slow)
    assert finding is not None
    assert finding.severity == "watch"
    assert [remedy.name for remedy in finding.remedies] == ["raise-g-rate"]


def test_of_two_that_hardly_move_both_are_raised() -> None:
    finding = found("learning-rate-too-low", STUCK | {"update_g": 1e-5, "update_d": 1e-5})
    assert finding is not None
    assert finding.severity == "failing"
    assert finding.remedies[0].name == "raise-both-rates"
    assert "raise-g-rate" not in [remedy.name for remedy in finding.remedies]


def test_a_schedule_that_ends_early_is_told_apart_from_a_rate_that_is_too_low() -> None:
    def ended(value: float) -> Any:
        return lambda done: value if done < 0.25 else 0.0

    dead = {"update_g": ended(5e-3), "update_d": ended(5e-3), "lr_g": ended(2e-4), "lr_d": ended(2e-4)}
    finding = found("learning-rate-too-low", STUCK | dead)
    assert finding is not None
    assert "nearly 0 since step" in finding.why
    assert [remedy.name for remedy in finding.remedies] == ["constant-rates"]
    cosine = {key: lambda done: math.cos(done * math.pi / 2) ** 2 * 2e-4 for key in ("lr_g", "lr_d")}
    moves = {key: lambda done: math.cos(done * math.pi / 2) ** 2 * 5e-3 for key in ("update_g", "update_d")}
    assert found("learning-rate-too-low", STUCK | cosine | moves) is None


def test_updates_that_replace_the_weights_are_too_large_even_where_the_weights_do_not_grow() -> None:
    finding = found("learning-rate-too-high", STUCK | {"update_g": 0.3})
    assert finding is not None
    assert "nothing of them is left" in finding.why
    spike = with_values(healthy(100), STUCK)
    spike[1] = spike[1] | {"update_g": 0.9}
    assert "learning-rate-too-high" not in {one.code for one in examine(spike).findings}
    clipped = STUCK | {"update_d": lambda done: 0.5 if done < 0.1 else 5e-3, "clip_share": 0.3}
    assert found("learning-rate-too-high", clipped) is None


def test_a_d_that_ranks_samples_above_reals_and_is_sure_of_neither_was_told_wrong_labels() -> None:
    values = STUCK | ALIKE | {"separation": 0.05, "logit_real": -0.03, "logit_fake": 0.02}
    finding = found("generator-wins", values)
    assert finding is not None
    assert "half of its labels are wrong" in finding.why
    assert [remedy.name for remedy in finding.remedies] == ["right-labels"]
    assert all(not one.fits for one in finding.evidence)
    assert found("generator-wins", values | {"logit_fake": 2.0}) is None  # one image that D takes for real


def test_the_first_updates_are_given_time() -> None:
    early = [record | {"step": record["step"] // 20} for record in SICK["discriminator-wins"]]
    assert {finding.severity for finding in examine(early).findings} == {"watch"}
