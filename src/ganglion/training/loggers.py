"""Who follows a training beside its run folder: trackers, and a script that reads events on standard output."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ganglion.doctor.diagnose import diagnose
from ganglion.doctor.examine import examine
from ganglion.doctor.readers.treatments import treatments_of
from ganglion.doctor.verdict import Verdict
from ganglion.errors import RecipeError
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.runs.events import JsonEvents, Outcome
from ganglion.runs.folder import Run
from ganglion.runs.journal import RunJournal
from ganglion.trackers.history import facts_of
from ganglion.trackers.names import asked_trackers
from ganglion.trackers.trackers import Trackers
from ganglion.training.treatment import remedies_for

__all__ = ["LogTo", "Loggers", "tell_it_is_over"]


@dataclass(frozen=True)
class LogTo:
    """What was asked for. It can be pickled, for the process that trains."""

    trackers: tuple[str, ...] = ()
    checkpoint: bool = False
    """Whether trackers keep the best checkpoint as an artifact."""
    events: bool = False
    """Whether JSON Lines go to standard output."""

    @classmethod
    def asked(cls, trackers: str | Iterable[str] | None = None, checkpoint: bool = False, events: bool = False) -> Self:
        """Raises RecipeError for a tracker that is unknown or not installed, and for a checkpoint without a tracker."""
        names = asked_trackers(trackers)
        if checkpoint and not names:
            raise RecipeError("--log-checkpoint goes with --log: name a tracker that is to keep the checkpoint")
        return cls(names, checkpoint, events)


class Loggers:
    """Entered while a run trains, or to tell of one that is over."""

    def __init__(self, wanted: LogTo, recipe: Recipe, run: Run, progress: TrainingProgress, screen: Screen) -> None:
        self._wanted, self._recipe, self._run, self._progress, self._screen = wanted, recipe, run, progress, screen
        self._trackers: Trackers | None = None
        self._events: JsonEvents | None = None
        self.outcome: Outcome = "failed"
        """How the training ended; unless it is said, it has failed."""
        self.is_last = False
        """Whether no attempt follows, also where the verdict asks for one."""

    def journal(self) -> closing[RunJournal]:
        """The journal of the run from this step on, with these loggers. Raises StorageError."""
        loggers = [logger for logger in (self._trackers, self._events) if logger is not None]
        return closing(RunJournal(self._run.path, self._progress.step, self._screen.say, loggers=loggers))

    def ended(self, finished: bool, verdict: Verdict) -> None:
        """The loop has returned: at its end, or interrupted."""
        if not finished:
            self.outcome = "interrupted"
        elif verdict.state != "failing":
            self.outcome = "stopped" if self._progress.stopped else "finished"

    def __enter__(self) -> Self:
        wanted, run = self._wanted, self._run
        if wanted.events:
            self._events = JsonEvents(self._screen.say)
            treatments = treatments_of(run.path)
            self._events.start(
                treatments, run=str(run.path), recipe=self._recipe.name, step=self._progress.step,
                kimg=self._progress.images / 1000, seed=self._recipe.training.seed,
            )  # fmt: skip
        if wanted.trackers:
            self._trackers = Trackers(
                wanted.trackers, facts_of(self._recipe, run), self._screen.say, run.path, self._progress.step,
                wanted.checkpoint,
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._trackers is None and self._events is None:
            return
        if isinstance(error, KeyboardInterrupt):
            self.outcome = "interrupted"
        records = self._run.records()
        verdict = examine(records)
        if self._trackers is not None:
            self._trackers.close(self.outcome, records, verdict.label)
        if self._events is not None and not self._is_treated():
            self._events.end(
                self.outcome, verdict, run=str(self._run.path), step=self._progress.step,
                kimg=self._progress.images / 1000, seconds=self._progress.seconds, stopped=self._progress.stopped,
                best_step=self._run.best_step,
            )  # fmt: skip

    def _is_treated(self) -> bool:
        """Whether another attempt follows, so that this is not the end of the run."""
        if self.is_last or self.outcome == "interrupted" or not self._recipe.training.treat:
            return False
        return bool(remedies_for(self._run, self._recipe, diagnose(self._run.path)))


def tell_it_is_over(wanted: LogTo, recipe: Recipe, run: Run, progress: TrainingProgress, screen: Screen) -> None:
    """Of a run that has ended before: trackers are given what they lack of it."""
    with Loggers(wanted, recipe, run, progress, screen) as loggers:
        loggers.is_last = True
        loggers.ended(True, examine(run.records()))
