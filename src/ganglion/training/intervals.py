"""When a record and a snapshot (samples, score, checkpoint) are due: by images, shares of the budget, the first by the clock.

In a budget of steps or kimg both are functions of the step. In a budget of minutes the clock decides, the first process's, so
that all processes decide alike. No weight depends on when a record is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ganglion.recipe.schema import Recipe
from ganglion.training.budget import Budget, steps_for
from ganglion.vitals.step_stats import CLOSE_LOOKS

__all__ = ["RECORDS", "SNAPSHOTS", "Due", "Intervals"]

RECORDS, SNAPSHOTS = 40, 8  # of a run, at least
LEAST_KIMG = (
    0.25  # between two records that a share of the budget asks for: a record costs as much as some hundred images
)
LEAST_SEC = 1.0  # the same in a budget of minutes
MOST_OF_TIME = 0.1  # for records, and for snapshots: where they cost more, a budget of minutes has fewer
FIRST_SEC = 5.0  # from the first step of a session to its first record; it takes some seconds itself


class Due(NamedTuple):
    """What is due after a step."""

    record: bool
    snapshot: bool
    """A snapshot makes a record too."""


@dataclass
class _Shares:
    """The shares of a budget of minutes after which something is due again."""

    number: int
    step: int
    """At which it was last made."""
    fraction: float
    """Of the budget, at that step."""
    seconds: float
    spent: float = 0.0
    """Seconds that it took so far."""

    def passed(self, fraction: float, seconds: float) -> bool:
        """Whether the next share has begun, and not just after the last time."""
        far = fraction - self.fraction >= 0.5 / self.number and seconds - self.seconds >= LEAST_SEC
        next_share = int(self.number * fraction) > int(self.number * self.fraction)
        return next_share and far

    def affordable(self, elapsed: float) -> bool:
        """Whether it has taken its share of the `elapsed` seconds at most: on a fast GPU the images of a record pass within
        a fraction of a second.
        """
        return self.spent <= MOST_OF_TIME * elapsed

    def made(self, step: int, fraction: float, seconds: float) -> None:
        self.step, self.fraction, self.seconds = step, fraction, seconds


class Intervals:
    """Asked once after every step. `record_steps` and `snapshot_steps` are the longest intervals, in steps."""

    def __init__(
        self,
        recipe: Recipe,
        budget: Budget,
        step: int = 0,
        fraction: float = 0.0,
        seconds: float = 0.0,
        early: bool = True,
    ) -> None:
        """`step`, `fraction` of the budget and `seconds` of training are those at which the session begins. `early`: whether
        its first record is made after some seconds where none is due by then.
        """
        training, images = recipe.training, recipe.training.batch * recipe.balance.d_steps
        self.record_steps = steps_for(training.tick_kimg, images)
        self.snapshot_steps = steps_for(training.snapshot_kimg, images)
        self._by_clock = budget.steps is None
        if budget.steps is not None:
            least = LEAST_KIMG * RECORDS / SNAPSHOTS
            most = max(budget.steps // SNAPSHOTS, steps_for(least, images))
            self.record_steps = min(self.record_steps, max(budget.steps // RECORDS, steps_for(LEAST_KIMG, images)))
            self.snapshot_steps = _on_records(min(self.snapshot_steps, most), self.record_steps, most)
        self._records = _Shares(RECORDS, step, fraction, seconds)
        self._snapshots = _Shares(SNAPSHOTS, step, fraction, seconds)
        self._began, self._last_seconds, self._step_sec = seconds, seconds, 0.0
        self._first, self._charged = early, None  # type: bool, _Shares | None
        self._look_steps = max(1, self.record_steps // CLOSE_LOOKS)
        if self._by_clock:
            self._look_steps = min(self._look_steps, CLOSE_LOOKS)  # until it is known how many steps a record has

    def closely(self, step: int) -> bool:
        """Whether the updates of the weights are measured in step `step`: about CLOSE_LOOKS times for a record."""
        return step % self._look_steps == 0

    def due(self, step: int, fraction: float, seconds: float) -> Due:
        """What is due after `step`, at `fraction` of the budget, after `seconds` of training."""
        self._charge(seconds)
        snapshot = self._is_due(self._snapshots, self.snapshot_steps, step, fraction, seconds)
        record = snapshot or self._is_due(self._records, self.record_steps, step, fraction, seconds)
        record = record or (self._first and seconds - self._began >= FIRST_SEC)
        if record:
            self._made(step, fraction, seconds, snapshot)
        return Due(record, snapshot)

    def caught_up(self, seconds: float) -> None:
        """After a record is due: the device has done all steps so far by then, which is not what the record costs."""
        self._last_seconds = seconds

    def _is_due(self, shares: _Shares, longest: int, step: int, fraction: float, seconds: float) -> bool:
        if not self._by_clock:
            return step % longest == 0
        next_one = step - shares.step >= longest or shares.passed(fraction, seconds)
        return next_one and shares.affordable(seconds - self._began)

    def _made(self, step: int, fraction: float, seconds: float, snapshot: bool) -> None:
        if self._by_clock:
            self._look_steps = max(1, (step - self._records.step) // CLOSE_LOOKS)
        for shares in (self._records, self._snapshots) if snapshot else (self._records,):
            shares.made(step, fraction, seconds)
        self._charged = self._snapshots if snapshot else self._records
        if self._first:  # it pays for what is made once
            self._first, self._charged = False, _Shares(1, step, fraction, seconds)

    def _charge(self, seconds: float) -> None:
        """Counts the time from a record to the end of the next step, less that of a step, as the record's."""
        took, self._last_seconds = seconds - self._last_seconds, seconds
        if self._charged is None:
            self._step_sec = took
        else:
            self._charged.spent += max(0.0, took - self._step_sec)
        self._charged = None


def _on_records(wanted: int, record_steps: int, most: int) -> int:
    """The interval of snapshots, so that each falls on a record where there are several to a snapshot; at most `most`."""
    if wanted <= record_steps:
        return wanted
    return record_steps * max(1, min(round(wanted / record_steps), most // record_steps))
