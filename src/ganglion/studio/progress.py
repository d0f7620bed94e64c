"""A task in the background, as a page shows it: a bar while it runs, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from time import sleep

from ganglion.studio.background import Task
from ganglion.studio.thumbnails import note, sentence

__all__ = ["LOOK_SEC", "end_of", "progress_bar", "shown_until_end"]

LOOK_SEC = 0.25
"""Between two looks at a task."""


def shown_until_end(task: Task) -> Iterator[str]:
    """The bar, again and again. A task whose page is closed meanwhile is asked to stop."""
    try:
        while not task.ended:
            yield progress_bar(task)
            sleep(LOOK_SEC)
    finally:
        task.stop()


def progress_bar(task: Task) -> str:
    """What a task does, and how far it is."""
    if task.state == "waiting":
        return note("It waits until another search or measurement has ended.")
    words = "Stopping" if task.stopping else task.text
    done = round(100 * (task.share if task.stopping else min(1.0, max(task.share, task.spent()))))
    return (
        f'<div class="meter" role="progressbar" aria-label="{escape(words)}" aria-valuenow="{done}" aria-valuemin="0" '
        f'aria-valuemax="100"><div style="width:{done}%"></div></div>'
        f'<p class="note plain">{escape(words)}, {done} %, {task.elapsed_sec:.0f} s</p>'
    )


def end_of(task: Task) -> str:
    """How a task ended, where that is not its result."""
    if task.state == "failed":
        return note(sentence(task.error), "bad")
    return note("Stopped: nothing was measured.") if task.state == "stopped" else ""
