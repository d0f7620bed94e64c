"""The screen of a notebook: lines in one block of the cell's output, which scrolls by itself, and progress that is replaced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ganglion.notebook.fragment import fragment
from ganglion.notebook.output import Output, in_notebook
from ganglion.platform.screen import Screen

__all__ = ["NotebookScreen", "screen_here"]

SECONDS_BETWEEN_UPDATES = 0.5


class Task(NamedTuple):
    """Something that is counted."""

    text: str
    done: int
    total: int

    @property
    def share(self) -> float:
        return self.done / self.total


def screen_here(quiet: bool = False, live: bool = True) -> Screen:
    """The screen for where this runs: a notebook's, or that of a terminal, with plain lines where it is not `live`."""
    return NotebookScreen() if live and not quiet and in_notebook() else Screen(quiet=quiet, live=live)


class NotebookScreen(Screen):
    """`clock` is in seconds. `output` makes an output of the cell."""

    def __init__(self, output: Callable[[], Output] = Output, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self.output, self.clock = output, clock
        self._lines: list[str] = []
        self._block: Output | None = None
        self._task: Task | None = None

    def say(self, text: str) -> None:
        self._lines.append(text)
        self._show()

    def steps(self, text: str) -> Callable[[int, int], None]:
        """A callback for (done, total), whose progress is shown below the lines until it is done."""
        last = float("-inf")

        def show(done: int, total: int) -> None:
            nonlocal last
            if done >= total:
                self._task = None
                if total:
                    self.say(f"{text}: {total:,}")
            elif self.clock() - last >= SECONDS_BETWEEN_UPDATES:
                last, self._task = self.clock(), Task(text, done, total)
                self._show()

        return show

    @contextmanager
    def training(self) -> Iterator[Callable[[float, str | None], None]]:
        """A callback for (share of the budget, status line or None where it is unchanged)."""
        output, shown, last = self.output(), "starting", float("-inf")

        def show(share: float, status: str | None) -> None:
            nonlocal shown, last
            shown = status or shown
            if status or self.clock() - last >= SECONDS_BETWEEN_UPDATES:
                last = self.clock()
                output.show(
                    fragment("progress.html", share=share, text=shown.replace("  ", " · ")), f"{share:4.0%}  {shown}"
                )

        yield show

    def _show(self) -> None:
        if self._block is None:
            self._block = self.output()
        self._block.show(fragment("log.html", lines=self._lines, task=self._task), "\n".join(self._lines))
