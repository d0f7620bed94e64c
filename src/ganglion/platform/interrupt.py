"""Ctrl-C and SIGTERM as a flag, which the loop checks after each step, so that it stops after a clean save."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["KEYS", "SIGNALS", "Interrupt", "stopping_signals"]


def stopping_signals(system: Any = signal, names: Sequence[str] = ("SIGINT", "SIGTERM", "SIGBREAK")) -> tuple[int, ...]:
    """The signals that this system has: SIGBREAK exists on Windows only, where SIGTERM is not delivered."""
    return tuple(getattr(system, name) for name in names if hasattr(system, name))


SIGNALS = stopping_signals()
KEYS = stopping_signals(names=("SIGINT", "SIGBREAK"))  # from the keyboard


class Interrupt:
    """While entered, the first signal sets `wanted`; a second Ctrl-C stops at once, as Python does otherwise.

    `also` is asked too whether a stop is wanted: a process that another one started is told by that one.
    """

    def __init__(
        self, signals: Sequence[int] = SIGNALS, keys: Sequence[int] = KEYS, also: Callable[[], bool] = lambda: False
    ) -> None:
        self._signals, self._keys, self._also = signals, keys, also
        self._asked = False
        self._before: dict[int, Any] = {}

    @property
    def wanted(self) -> bool:
        return self._asked or self._also()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # only there does Python deliver signals
            self._before = {number: signal.signal(number, self._ask) for number in self._signals}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self._asked and number in self._keys:
            raise KeyboardInterrupt
        self._asked = True
