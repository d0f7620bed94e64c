"""The trackers of one training, as a logger of its journal. Each is fed in a thread of its own; none holds up a step."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

from ganglion.doctor.examine import FindingEvent
from ganglion.doctor.verdict import Verdict
from ganglion.runs.events import Outcome
from ganglion.runs.folder import Run
from ganglion.trackers.content import Finding, RunFacts, Tracker, metrics_of, summary_of
from ganglion.trackers.feed import Feed
from ganglion.trackers.history import best_checkpoint, past
from ganglion.trackers.mlflow_client import MlflowTracker
from ganglion.trackers.names import TRACKERS
from ganglion.trackers.silence import hush_loggers, trackers_silenced
from ganglion.trackers.state import TrackerStates
from ganglion.trackers.wandb_trackio import RunTracker
from ganglion.vitals.records import Record, is_step

__all__ = ["Trackers", "made"]

PATIENCE_SEC, WITH_CHECKPOINT_SEC = 30.0, 600.0
"""How long the end waits for trackers to take what is left."""
SOON_SEC = 2.0

Say = Callable[[str], None]


def made(name: str, beside: bool) -> Tracker:
    """The tracker of that name."""
    return MlflowTracker(beside) if name == "mlflow" else RunTracker(name, beside)


class Trackers:
    """A `Logger`. Its calls return at once."""

    def __init__(
        self, names: Sequence[str], facts: RunFacts, say: Say, folder: Path | None = None, resumed_step: int = 0,
        checkpoint: bool = False, beside: bool = False, make: Callable[[str, bool], Tracker] = made,
        patience_sec: float = PATIENCE_SEC,
    ) -> None:  # fmt: skip
        """`folder` of the run, whose history up to `resumed_step` each tracker is given as far as it lacks it.

        `checkpoint`: the best one is kept as an artifact at the end. `beside`: the caller's own code may log to the same run.
        """
        self._say, self._folder, self._checkpoint = say, folder, checkpoint
        self._patience_sec = WITH_CHECKPOINT_SEC if checkpoint else patience_sec
        self._around = contextlib.ExitStack()
        self._around.enter_context(trackers_silenced(names, say))
        for name in names:  # here rather than in the threads, where it would slow the first steps down
            with contextlib.suppress(Exception):  # there it is told
                import_module(name)
        hush_loggers()
        states = TrackerStates(folder)
        self._each = [Followed(name, make(name, beside), facts, states, say, folder, resumed_step) for name in names]

    def record(self, record: Record, verdict: Verdict) -> None:
        """A record, and the verdict with it."""
        for tracker in self._each:
            tracker.record(record, verdict.label)

    def finding(self, event: FindingEvent) -> None:
        """A finding was raised or cleared."""
        line = event.to_json()
        for tracker in self._each:
            tracker.finding(line)

    def sheet(self, kind: str, path: Path, step: int) -> None:
        """A sheet of samples was written."""
        for tracker in self._each:
            tracker.sheet(f"samples/{kind}", path, step)

    def close(self, outcome: Outcome, records: Sequence[Record], label: str) -> None:
        """Ends the trackers' runs, and waits a while for those that have not taken everything yet."""
        with self._around:
            self._end(outcome, records, label)
            self._wait()

    def _end(self, outcome: Outcome, records: Sequence[Record], label: str) -> None:
        run = None if self._folder is None else Run(self._folder)
        best = None if run is None else run.best_step
        for tracker in self._each:
            if self._checkpoint and run is not None and best is not None:
                tracker.checkpoint(run)
            tracker.finish(outcome, summary_of(records, best, label))

    def _wait(self) -> None:
        deadline = time.monotonic() + self._patience_sec
        waiting = [tracker for tracker in self._each if tracker.feed.close(SOON_SEC)]
        busy = [tracker.feed.name for tracker in waiting if tracker.feed.is_busy]
        if busy and (left := deadline - time.monotonic()) > 0:
            names = " and ".join(busy)
            self._say(f"Waiting for {names}, at most {left:,.0f} s; the training is saved, Ctrl-C twice leaves it")
        for tracker in waiting:
            if lacking := tracker.feed.close(max(0.0, deadline - time.monotonic())):
                self._say(self._last_word(tracker, lacking))

    def _last_word(self, tracker: Followed, lacking: int) -> str:
        why = "no answer in time; it" if tracker.feed.is_busy else "it"
        how = "" if self._folder is None else "; the same command sends them"
        return f"{tracker.feed.name}: {why} lacks the last {lacking} of its entries{how}"


class Followed:
    """One tracker, and how far it has been given the run."""

    def __init__(
        self, name: str, tracker: Tracker, facts: RunFacts, states: TrackerStates, say: Say, folder: Path | None, until: int
    ) -> None:  # fmt: skip
        self._tracker, self._facts, self._states, self._say = tracker, facts, states, say
        self._known, self._folder, self._until = states.of(name), folder, until
        self._still: dict[str, Finding] = {}
        self._label, self._seen = "", False
        self.feed = Feed(name, self._begin, say)
        if folder is not None:
            self.feed.put(self._catch_up)

    def record(self, record: Record, label: str) -> None:
        self.feed.put(partial(self._record, record, label))

    def finding(self, event: Finding) -> None:
        self.feed.put(partial(self._finding, event))

    def sheet(self, name: str, path: Path, step: int) -> None:
        self.feed.put(partial(self._sheet, name, path, step))

    def checkpoint(self, run: Run) -> None:
        def send() -> None:
            with best_checkpoint(run) as folder:
                self._tracker.checkpoint(folder)

        self.feed.put(send)

    def finish(self, outcome: Outcome, summary: dict[str, float | str]) -> None:
        self.feed.put(partial(self._tracker.finish, outcome, summary), self._states.save)

    # In the feed's thread

    def _begin(self) -> None:
        where = self._tracker.start(self._facts, self._known)
        self._states.save()
        if not self._seen:
            self._seen = True
            self._say(f"{TRACKERS[self.feed.name]}: {where}")

    def _catch_up(self) -> None:
        assert self._folder is not None
        self._still.clear()
        for step, kind, content in past(self._folder, self._step, self._until):
            if kind == "finding":
                self._finding(content)
            elif kind == "sheet":
                self._sheet(content[0], content[1], step)
            else:
                self._record(content, "")

    @property
    def _step(self) -> int:
        step = self._known.get("step")
        return step if is_step(step) else -1

    def _record(self, record: Record, label: str) -> None:
        if record["step"] <= self._step:
            return  # given before the session that made it was lost: the tracker has it
        self._tracker.record(metrics_of(record, list(self._still.values())), record["step"])
        if label and label != self._label:
            self._tracker.verdict(label)
            self._label = label
        self._known["step"] = record["step"]
        self._states.save(soon=False)

    def _finding(self, event: Finding) -> None:
        if event["event"] == "raised":
            self._still[event["code"]] = event
        else:
            self._still.pop(event["code"], None)
        if event["step"] > self._step:
            self._tracker.finding(event, list(self._still.values()), event["step"])

    def _sheet(self, name: str, path: Path, step: int) -> None:
        if step > self._step and path.is_file():
            self._tracker.sheet(name, path, step)
