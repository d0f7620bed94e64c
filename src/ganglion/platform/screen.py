"""Progress display on standard error: one live line on a terminal, with what is said above it; plain lines elsewhere.

A terminal has one last line, so what is live on it is known to the whole process: `clean_terminal` ends it, also where an
exception left it behind.
"""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

__all__ = ["Screen", "clean_terminal"]


SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_DRAWINGS = 0.25
WIDE = 120
FREE_COLUMNS = 3

_drawn: list[Progress] = []


def clean_terminal() -> None:
    """Ends what is live on the terminal: an unfinished count is erased, a status stays as a plain line, the cursor is shown."""
    while _drawn:
        _drawn.pop().stop()


atexit.register(clean_terminal)


class Screen:
    """`clock` is in seconds. A quiet screen shows nothing; one that is not `live` has plain lines on a terminal too."""

    def __init__(
        self,
        console: Console | None = None,
        quiet: bool = False,
        live: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.console = console or Console(
            file=sys.stderr, quiet=quiet, highlight=False, soft_wrap=True, force_interactive=sys.stderr.isatty()
        )  # forced, since FORCE_COLOR has rich take a file for a terminal
        self._live = live and self.console.is_interactive and not self.console.is_dumb_terminal
        self._clock = clock
        self._last_line = float("-inf")

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, emoji=False)

    def steps(self, text: str) -> Callable[[int, int], None]:
        """A callback for (done, total) that displays the progress of `text`; nothing is shown before its first call."""
        wide = [BarColumn()] if self.console.width >= WIDE else []
        whole = Column(no_wrap=True)
        columns = [*wide, MofNCompleteColumn(table_column=whole), TimeRemainingColumn(table_column=whole)]
        line = LiveLine(self.console, columns, self._clock, transient=True, text_first=True)

        def show(done: int, total: int) -> None:
            if not self._live:
                if done == total and total:
                    self.say(f"{text}: {total:,}")
                return
            line.show(done, total, text)
            if done >= total:
                line.end()

        return show

    @contextmanager
    def training(self) -> Iterator[Callable[[float, str | None], None]]:
        """A callback for (share of the budget, status line or None where it is unchanged)."""
        wide = [BarColumn(bar_width=24)] if self.console.width >= WIDE else []  # the numbers come first
        share = TaskProgressColumn(table_column=Column(min_width=4, no_wrap=True))
        line = LiveLine(self.console, [*wide, share], self._clock)

        def show(fraction: float, status: str | None) -> None:
            if self._live:
                line.show(fraction, 1.0, status)
            elif status and (self._clock() - self._last_line >= SECONDS_BETWEEN_LINES or fraction >= 1):
                self._last_line = self._clock()
                self.say(f"{fraction:4.0%}  {status}")

        if self._live:
            line.show(0, 1.0, "starting")
        try:
            yield show
        finally:
            line.end()


class Cut(TextColumn):
    """Text that ends in an ellipsis where there is no room for it."""

    def render(self, task: Task) -> Text:
        text = super().render(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


class Line(Progress):
    """A progress bar that leaves the end of its line free for the ^C that a terminal writes there; so it stays one line."""

    def get_renderable(self) -> RenderableType:
        return Shorter(super().get_renderable())


class Shorter:
    """What is rendered, in fewer columns than the terminal has."""

    def __init__(self, content: RenderableType) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self._content, options.update_width(max(1, options.max_width - FREE_COLUMNS)))


class LiveLine:
    """The last line of a terminal, drawn again where it changes, by no thread and no more than four times a second.

    It is cut to the width of the terminal. What others print meanwhile appears above it.
    """

    def __init__(
        self,
        console: Console,
        columns: list[ProgressColumn],
        clock: Callable[[], float],
        transient: bool = False,
        text_first: bool = False,
    ) -> None:
        text = Cut("{task.description}", markup=False, table_column=Column(no_wrap=False))  # the first to give way
        self._progress = Line(
            *([text, *columns] if text_first else [*columns, text]), console=console, transient=transient,
            auto_refresh=False, redirect_stdout=sys.stdout.isatty(),
        )  # fmt: skip
        self._task = self._progress.add_task("")
        self._clock, self._last = clock, float("-inf")

    def show(self, done: float, total: float, text: str | None) -> None:
        """`text` None: as before."""
        now = self._clock()
        if text is None and done < total and now - self._last < SECONDS_BETWEEN_DRAWINGS:
            return
        self._last = now
        if self._progress not in _drawn:
            _drawn.append(self._progress)
            self._progress.start()
        self._progress.update(self._task, completed=done, total=total, description=text, refresh=True)

    def end(self) -> None:
        """The terminal is as it was; the line stays on it, unless it is transient."""
        if self._progress in _drawn:
            _drawn.remove(self._progress)
            self._progress.stop()
