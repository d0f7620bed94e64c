"""Progress display on standard error: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

__all__ = ["Screen"]


SECONDS_BETWEEN_LINES = 5.0
WIDE = 120


class Screen:
    """`clock` is in seconds. A quiet screen shows nothing."""

    def __init__(
        self, console: Console | None = None, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = console or Console(file=sys.stderr, quiet=quiet, highlight=False, soft_wrap=True)
        self._clock = clock
        self._last_line = float("-inf")

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, emoji=False)

    def steps(self, text: str) -> Callable[[int, int], None]:
        """A callback for (done, total) that displays the progress of `text`; nothing is shown before its first call."""
        bar = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=self.console, transient=True,
        )  # fmt: skip
        task = bar.add_task(text)

        def show(done: int, total: int) -> None:
            if not self.console.is_terminal:
                if done == total and total:
                    self.say(f"{text}: {total:,}")
                return
            bar.start()
            bar.update(task, completed=done, total=total)
            if done >= total:
                bar.stop()

        return show

    @contextmanager
    def training(self) -> Iterator[Callable[[float, str | None], None]]:
        """A callback for (share of the budget, status line or None where it is unchanged)."""
        wide = [BarColumn(bar_width=24)] if self.console.width >= WIDE else []  # the numbers come first
        share = TaskProgressColumn(table_column=Column(min_width=4, no_wrap=True))
        status_text = TextColumn("{task.description}", markup=False)
        bar = Progress(*wide, share, status_text, console=self.console)
        task = bar.add_task("starting", total=1.0)
        live = self.console.is_terminal

        def show(fraction: float, status: str | None) -> None:
            if live:
                bar.update(task, completed=fraction, description=status or None)
            elif status and (self._clock() - self._last_line >= SECONDS_BETWEEN_LINES or fraction >= 1):
                self._last_line = self._clock()
                self.say(f"{fraction:4.0%}  {status}")

        if not live:
            yield show
            return
        with bar:
            yield show
