from __future__ import annotations

from ganglion.watching.budget import Budget


def test_the_share_is_that_of_the_time_without_watching_and_short_trainings_are_not_limited() -> None:
    now = [0.0]
    budget = Budget(lambda: now[0])
    now[0] += 10
    with budget.spending():
        now[0] += 0.5
        with budget.spending():
            now[0] += 0.5
    assert (budget.spent, budget.share) == (1, 0.1)
    assert not budget.is_exceeded
    with budget.spending():
        now[0] += 2
    assert budget.is_exceeded
    budget.restart()
    assert not budget.is_exceeded
