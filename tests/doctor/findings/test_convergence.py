"""When the numbers together are those of a bad end: at which chance, when, and where samples are out of reach."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from ganglion.doctor.findings import convergence
from ganglion.doctor.findings.convergence import CHANCE, non_convergence
from ganglion.doctor.history import History
from ganglion.doctor.rule import RuleHit, thresholds_of
from made_records import FLOOR, healthy, with_values

FAR = {"swd": 6 * FLOOR}
FALLING = {"swd": lambda done: FLOOR * (3 + 30 * math.exp(-4 * done))}


@pytest.fixture
def hit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., RuleHit | None]:
    """The finding on made-up records, for a chance now and half a window ago."""

    def found(now: float, ago: float, values: dict[str, Any], worst: int = 0, n: int = 60) -> RuleHit | None:
        history = History(with_values(healthy(n), values))
        history.worst = worst
        asked: list[int] = []

        def chance(one: History) -> float:
            asked.append(one.worst)
            return now if len(one) == n else ago

        monkeypatch.setattr(convergence, "from_vitals", chance)
        result = non_convergence(history, thresholds_of("non-convergence"))
        assert set(asked) <= {worst}
        return result

    return found


@pytest.mark.parametrize(
    ("now", "ago", "severity"),
    [
        (0.2, 0.2, "failing"),
        (0.2, 0.44, "failing"),
        (0.44, 0.2, "failing"),
        (0.2, 0.47, "watch"),
        (0.47, 0.2, "watch"),
        (0.2, 0.5, None),
        (0.5, 0.2, None),
        (0.2, math.nan, None),
        (math.nan, 0.2, None),
    ],
)
def test_the_larger_of_the_two_chances_decides(hit: Any, now: float, ago: float, severity: str | None) -> None:
    found = hit(now, ago, FAR)
    assert (found.severity if found else None) == severity
    if found:
        named = {one.name: one for one in found.evidence}
        assert named[CHANCE].value == max(now, ago)
        assert not named[CHANCE].fits


def test_a_run_whose_samples_come_nearer_is_watched(hit: Any) -> None:
    assert hit(0.1, 0.1, FALLING).severity == "watch"


def test_nothing_is_said_before_a_run_has_had_its_first_steps_or_where_anything_else_is_failing(hit: Any) -> None:
    assert hit(0.1, 0.1, FAR, n=15) is None  # 700 steps
    assert hit(0.1, 0.1, FAR, n=20) is not None
    assert hit(0.1, 0.1, FAR, worst=1) is not None
    assert hit(0.1, 0.1, FAR, worst=2) is None


def snapshots(*distances: float) -> dict[str, Any]:
    """A relative distance at equal intervals, and none between them."""
    places = {int(60 * (number + 1) / (len(distances) + 1)): one for number, one in enumerate(distances)}
    return FAR | {"relative_distance": lambda done: places.get(round(60 * done), math.nan)}


LASTING = snapshots(*[12.0 - 0.01 * number for number in range(12)])


def test_samples_far_beyond_a_gaussian_that_stay_there_are_failing_below_a_higher_chance(hit: Any) -> None:
    found = hit(0.55, 0.55, LASTING)
    assert found.severity == "failing"
    assert "as far from the data as those of a Gaussian" in found.why
    assert "smallest relative distance of 3 snapshots" in [one.name for one in found.evidence]
    assert found.since == int(60 * 10 / 13)  # of the third snapshot from the end
    assert hit(0.65, 0.55, LASTING) is None


def test_samples_that_will_reach_a_gaussian_are_not_out_of_reach(hit: Any) -> None:
    assert hit(0.55, 0.55, snapshots(*[60 * 0.8**number for number in range(9)])) is None
    assert hit(0.55, 0.55, snapshots(*[4.0 - 0.01 * number for number in range(12)])) is None
