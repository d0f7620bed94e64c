"""The account of a watching: what is measured, what is not and why, and that no error leaves it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Account", "first_line"]


class Account:
    """Runs measurements, each by its name. One that raises an error is ended, named and said once; the others go on."""

    def __init__(self, say: Callable[[str], None] | None) -> None:
        self._say = say or (lambda text: print(text, file=sys.stderr))  # noqa: T201
        self.step = 0
        self.error: Exception | None = None
        """The first error of a measurement."""
        self.ended: dict[str, str] = {}
        """Why a measurement was ended, by its name."""
        self.reasons: dict[str, str] = {}
        """Why something is not seen at present, by its name."""
        self._open = True

    def run(self, name: str, measurement: Callable[..., Any], *arguments: Any) -> Any:
        """The result of a measurement; None where it fails, or failed before."""
        if name in self.ended:
            return None
        try:
            return measurement(*arguments)
        except Exception as error:
            self.end(name, error)
            return None

    def end(self, name: str, error: Exception) -> None:
        """A measurement has failed."""
        self.error = self.error or error
        self.ended[name] = f"ended at step {self.step:,} by {first_line(error)}"
        self.say(f"ganglion.watch: {name} {self.ended[name]}; training and other measurements continue")

    def note(self, name: str, reason: str | None) -> None:
        """Something is not seen, and why; None: it is seen."""
        if reason is None:
            self.reasons.pop(name, None)
        else:
            self.reasons[name] = reason

    @property
    def unseen(self) -> list[str]:
        """What is not measured, and why."""
        return sorted(f"{name}: {reason}" for name, reason in {**self.reasons, **self.ended}.items())

    def say(self, text: str) -> None:
        """Passes a text on; if that fails, nothing more is passed on."""
        if not self._open:
            return
        try:
            self._say(text)
        except Exception as error:
            self._open = False
            self.ended["messages"] = f"ended at step {self.step:,} by {first_line(error)} in `say`"

    def summary(self, seen: Sequence[str]) -> str:
        """One line: what is seen, and what is not."""
        text = f"ganglion.watch, step {self.step:,}, sees " + ("; ".join(seen) if seen else "nothing yet")
        return text + (". Not seen: " + "; ".join(self.unseen) if self.unseen else "") + "."


def first_line(error: Exception) -> str:
    """Type and first line of an error."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
