"""The time that watching takes, and what is given up when it is more than a share of the training's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Budget"]

SHARE = 0.05
LEAST_SEC = 1.5
"""Watching that has taken less is not limited: a short training is rather looked at often."""


class Budget:
    """Measures in CPU time of the process, or in wall time (`clock`) where the work is done by a GPU."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._clock = clock
        self._began = clock()
        self.spent = 0.0
        self._depth = 0

    @classmethod
    def of_wall_time(cls) -> Budget:
        return cls(time.perf_counter)

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Context whose time is that of watching."""
        self._depth += 1
        began = self._clock()
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.spent += self._clock() - began

    @property
    def share(self) -> float:
        """Of the time without watching, since the last restart."""
        return self.spent / max(1e-9, self._clock() - self._began - self.spent)

    @property
    def is_exceeded(self) -> bool:
        return self.spent > LEAST_SEC and self.share > SHARE

    def restart(self) -> None:
        """Starts to measure anew, after something was given up."""
        self._began, self.spent = self._clock(), 0.0
