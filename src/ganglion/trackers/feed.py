"""Hands things to one tracker in a thread of its own, in order. Whatever the tracker does, the training goes on.

A call that raises ends the session with the tracker. What it was given stays first in line, and after a while a new session
begins with it, so that a server that was away for an hour lacks nothing. A call that hangs holds up this thread alone.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Call", "Feed", "first_sentence"]

SILENCE_SEC = 60.0
"""A call that takes longer is said to hang."""
RETRY_SEC = 60.0
MOST_WAITING = 20_000
"""Calls; beyond, the newest are left out, as of a tracker that has hung for days."""


class Call(NamedTuple):
    """What a tracker is to do, and what to note once it has."""

    do: Callable[[], None]
    done: Callable[[], None] = lambda: None


class Feed:
    """`begin` starts a session with the tracker, or raises. `say` gets a sentence at a failure, and one when it is over."""

    def __init__(
        self, name: str, begin: Callable[[], None], say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic, silence_sec: float = SILENCE_SEC, retry_sec: float = RETRY_SEC,
    ) -> None:  # fmt: skip
        self.name = name
        self._begin, self._say, self._clock = begin, say, clock
        self._silence_sec, self._retry_sec = silence_sec, retry_sec
        self._waiting: deque[Call] = deque()
        self._changed = threading.Condition()
        self._calling_since: float | None = None
        self._closing, self._told = False, False
        self.failure: str | None = None
        """Of the newest call, if it failed."""
        self._thread = threading.Thread(target=self._run, name=f"ganglion-{name}", daemon=True)
        self._thread.start()

    def put(self, do: Callable[[], None], done: Callable[[], None] = lambda: None) -> None:
        """Returns at once."""
        with self._changed:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append(Call(do, done))
            self._changed.notify()
        since = self._calling_since
        if since is not None and self._clock() - since > self._silence_sec:
            self._tell(f"it has not answered for {self._clock() - since:,.0f} s")

    def close(self, wait_sec: float) -> int:
        """Waits until the tracker has taken everything, but no longer than `wait_sec`; how many things it lacks."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(wait_sec)
        return len(self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether it still has something to do, and is at it."""
        return self._thread.is_alive()

    def _run(self) -> None:
        """The thread."""
        open_session = False
        while self._await_something():
            self._calling_since = self._clock()
            try:
                if not open_session:
                    self._begin()
                    open_session = True
                    continue
                call = self._waiting[0]
                call.do()
                call.done()
            except Exception as error:
                open_session = False
                self._fail(first_sentence(error))
                if self._closing:
                    return
                self._pause()
            else:
                self._waiting.popleft()
                self._recover()
            finally:
                self._calling_since = None

    def _await_something(self) -> bool:
        """Whether there is something to do; False at the end."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            return bool(self._waiting)

    def _pause(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, self._retry_sec)

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self._tell(reason)

    def _tell(self, reason: str) -> None:
        if not self._told:
            self._told = True
            self._say(f"{self.name}: {reason}; the training goes on, and what {self.name} lacks is sent when it can be")

    def _recover(self) -> None:
        self.failure = None
        if self._told and not self._waiting:
            self._told = False
            self._say(f"{self.name}: it has everything again")


def first_sentence(error: BaseException) -> str:
    """Type and first line of an error, at most 200 characters."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."
