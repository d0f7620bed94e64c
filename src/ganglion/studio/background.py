"""Work of many seconds beside the page: searches and scores, in threads, with progress, a stop and a limit of time."""

from __future__ import annotations

import math
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Literal

from ganglion.errors import GanglionError

__all__ = ["Stopped", "Task", "Tasks"]

AT_ONCE = 2  # tasks that run; others wait
ENDED = ("done", "failed", "stopped")

State = Literal["waiting", "running", "done", "failed", "stopped"]


class Stopped(Exception):  # noqa: N818 (not a failure: a person asked for it)
    """Raised inside a task that was asked to stop."""


class Task:
    """One piece of work: pages read its state, the work writes it.

    As a reporter of progress, it has `steps(text)`, whose callbacks raise Stopped once a stop was asked for.
    """

    def __init__(self, title: str, seconds: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.title, self.seconds = title, seconds
        """`seconds`: the limit of time that `spent` counts against."""
        self.state: State = "waiting"
        self.text, self.share = "", 0.0
        """What is being done, and how much of it, 0 to 1."""
        self.result: Any = None
        self.error = ""
        """A sentence, if it failed."""
        self._clock, self._asked, self._started = clock, threading.Event(), clock()

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def stop(self) -> None:
        """Asks it to end soon; a search then returns the best that it has found."""
        self._asked.set()

    @property
    def stopping(self) -> bool:
        return self._asked.is_set()

    @property
    def elapsed_sec(self) -> float:
        return self._clock() - self._started

    def spent(self) -> float:
        """The share of its time that is used up; infinite once a stop was asked for."""
        if self.stopping:
            return math.inf
        return 0.0 if self.seconds is None else self.elapsed_sec / self.seconds

    def progress(self, done: int, total: int) -> None:
        """Progress of a search, in steps or in time, whichever is further."""
        self.share = min(1.0, max(done / max(1, total), 0.0 if self.stopping else self.spent()))

    def steps(self, text: str) -> Callable[[int, int], None]:
        """A callback for (done, total) of a part of the work."""

        def show(done: int, total: int) -> None:
            if self.stopping:
                raise Stopped
            self.text, self.share = text, min(1.0, done / max(1, total))

        return show

    def run(self, work: Callable[[Task], Any]) -> None:
        """Does the work in this thread. A user's mistake becomes a sentence; a fault of ours is printed, too."""
        self._started = self._clock()
        self.state = "running"
        try:
            self.result = work(self)
            self.state = "done"
        except Stopped:
            self.state = "stopped"
        except GanglionError as error:
            self.error, self.state = str(error), "failed"
        except MemoryError:
            self.error, self.state = (
                "there is too little memory for it: close other programs, or ask for less",
                "failed",
            )
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self.error, self.state = f"it failed with {type(error).__name__}: {error}", "failed"


class Tasks:
    """The tasks of one studio; the newest under each name is kept, so that a page that is opened again finds it."""

    def __init__(self) -> None:
        self._running, self._lock = threading.Semaphore(AT_ONCE), threading.Lock()
        self._newest: dict[str, Task] = {}

    def start(self, task: Task, work: Callable[[Task], Any], name: str | None = None) -> Task:
        """Starts `task` in the background, or when another has ended. An earlier one of the same `name` is asked to stop.

        A process that exits does not wait for it.
        """
        if name is not None:
            with self._lock:
                before, self._newest[name] = self._newest.get(name), task
            if before is not None:
                before.stop()
        threading.Thread(target=self._run, args=(task, work), name=task.title, daemon=True).start()
        return task

    def newest(self, name: str) -> Task | None:
        return self._newest.get(name)

    def _run(self, task: Task, work: Callable[[Task], Any]) -> None:
        with self._running:
            if task.stopping:
                task.state = "stopped"
            else:
                task.run(work)
