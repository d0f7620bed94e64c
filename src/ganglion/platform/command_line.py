"""A command as one line of text that a shell reads as it was, and such a line as words. Without torch."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence

__all__ = ["options_of", "pasteable", "words_of"]

WINDOWS = os.name == "nt"


def pasteable(command: Sequence[str], windows: bool = WINDOWS) -> str:
    """A command as one line, quoted for this system's shell."""
    return subprocess.list2cmdline(command) if windows else shlex.join(command)


def options_of(line: str, kept: Mapping[str, int], windows: bool = WINDOWS) -> tuple[str, ...]:
    """The words of those options of a command's line that `kept` names, with as many words after each as it says.

    `--option=value` counts as one word. Empty where the line cannot be read.
    """
    words, found = words_of(line, windows), list[str]()
    for i, word in enumerate(words):
        name, equals, _ = word.partition("=")
        if name in kept:
            found += words[i : i + 1 + (0 if equals else kept[name])]
    return tuple(found)


def words_of(line: str, windows: bool = WINDOWS) -> tuple[str, ...]:
    """The words of a command's line. Empty where it cannot be read."""
    try:
        words = shlex.split(line, posix=not windows)
    except ValueError:
        return ()
    return tuple(word.strip('"') if windows else word for word in words)
