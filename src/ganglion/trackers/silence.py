"""Keeps what trackers print away from the screen: their threads' output on sys.stdout, their warnings, their log messages.

What a tracker says goes through `say` instead, so that it appears above the live line and once.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, TextIO

__all__ = ["THREADS", "hush_loggers", "trackers_silenced"]

THREADS = "ganglion-"
"""How the names of the threads begin in which trackers are called."""
LOGGERS = ("mlflow", "alembic", "sqlalchemy", "wandb", "trackio", "httpx", "urllib3")


@contextmanager
def trackers_silenced(names: Sequence[str], say: Callable[[str], None]) -> Iterator[None]:
    """While it lasts. Warnings from the packages `names` are passed to `say`, each package's first one."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    showing, printing = warnings.showwarning, sys.stdout
    heard: set[str] = set()

    def show(message: Warning | str, category: type[Warning], filename: str, *place: Any, **more: Any) -> None:
        package = next((name for name in names if name in PurePath(filename).parts), None)
        if package is None:
            showing(message, category, filename, *place, **more)
        elif package not in heard and not issubclass(category, DeprecationWarning | FutureWarning):
            heard.add(package)
            say(f"{package}: {str(message).strip().splitlines()[0]}")

    hush_loggers()
    warnings.showwarning = show
    sys.stdout = filtered = OfOtherThreads(printing)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if warnings.showwarning is show:
            warnings.showwarning = showing
        if sys.stdout is filtered:
            sys.stdout = printing


def hush_loggers() -> None:
    """Also called after a tracker is imported, which may set the level of its own. `trackers_silenced` puts it back."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


class OfOtherThreads:
    """A text stream without what the threads of trackers write to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As of any text stream."""
        if threading.current_thread().name.startswith(THREADS):
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
