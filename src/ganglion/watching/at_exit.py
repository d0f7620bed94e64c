"""The end of a program that does not close its monitor: often an error after a NaN, of which the records have to tell."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganglion.watching.monitor import Monitor

__all__ = ["AtExit"]


class AtExit:
    """Ends a monitor that is still there when the program ends, in the process that made it."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor, self._process = weakref.ref(monitor, self.cancel), os.getpid()
        self._unregister = atexit.unregister  # a module's names may be gone when the interpreter ends
        atexit.register(self._end)

    def cancel(self, _gone: object = None) -> None:
        """Nothing is left to do at the end."""
        self._unregister(self._end)

    def _end(self) -> None:
        monitor = self._monitor()
        if monitor is not None and os.getpid() == self._process:
            by_an_error = getattr(sys, "last_value", None) is not None
            monitor.close("failed" if by_an_error else "finished")
