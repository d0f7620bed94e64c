"""`trackers.json` of a run folder: by which id each tracker knows the run, and the step up to which it has everything."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganglion.platform.files import write_atomically

__all__ = ["TrackerStates"]

SECONDS_BETWEEN_WRITES = 5.0
"""A killed process may so send the records of some seconds a second time, which changes nothing."""


class TrackerStates:
    """Of all trackers of a run. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = None if folder is None else folder / "trackers.json"
        self._clock, self._last = clock, float("-inf")
        self._lock = threading.Lock()
        self._known = self._read()

    def of(self, name: str) -> dict[str, Any]:
        """What is known of a tracker; whoever changes it calls `save`."""
        return self._known.setdefault(name, {})

    def save(self, soon: bool = True) -> None:
        """Writes the file; with `soon` False only if the last time is long ago. Raises StorageError."""
        with self._lock:
            if self._path is None or not (soon or self._clock() - self._last >= SECONDS_BETWEEN_WRITES):
                return
            self._last = self._clock()
            write_atomically(self._path, json.dumps(self._known, indent=1).encode())

    def _read(self) -> dict[str, dict[str, Any]]:
        """A file that cannot be read counts as none: new runs are begun then."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8")) if self._path else {}
        except (OSError, ValueError):
            return {}
        return (
            {name: known for name, known in found.items() if isinstance(known, dict)} if isinstance(found, dict) else {}
        )
