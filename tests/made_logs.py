"""Logs of known content: what they should be understood as stands beside them. The lines are made here, in the shapes that
trainers print; the numbers are functions of the step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

__all__ = ["KNOWN", "Known", "approach", "d", "df", "dr", "fid", "g", "known", "pf", "pr", "steps_of"]


def d(t: float) -> float:
    """A logistic loss of D."""
    return 1.1 + 0.2 * math.sin(0.7 * t)


def g(t: float) -> float:
    """A loss of G."""
    return 1.3 + 0.3 * math.cos(0.3 * t)


def dr(t: float) -> float:
    """Half of D's loss, on reals."""
    return 0.5 + 0.1 * math.sin(0.7 * t)


def df(t: float) -> float:
    """Half of D's loss, on fakes."""
    return 0.6 + 0.1 * math.sin(0.7 * t)


def pr(t: float) -> float:
    """A probability of D on reals."""
    return 0.7 + 0.05 * math.sin(t)


def pf(t: float) -> float:
    """A probability of D on fakes."""
    return 0.3 + 0.05 * math.cos(t)


def fid(t: float) -> float:
    return 20 + 200 * math.exp(-t / 300)


def approach(t: float) -> float:
    """A term of G's loss that falls."""
    return 5 + 20 * math.exp(-t / 200)


class Known(NamedTuple):
    """A log and its content."""

    file: str
    """Its name, whose ending a reader may use."""
    text: str | bytes
    steps: list[int]
    values: Mapping[str, list[float]]
    """By our key, one for each step."""
    absent: tuple[str, ...] = ()
    """Keys that must not be in the records."""
    says: tuple[str, ...] = ()
    """What the understanding says."""
    unit: str = "step"
    options: Mapping[str, Any] = {}


KNOWN: dict[str, Known] = {}


def known(name: str, file: str, text: str | bytes | Iterable[str], steps: Iterable[int], **rest: Any) -> None:
    """Adds a log. Of `rest`, what is a function of the step or a list is a series by its key."""
    steps = list(steps)
    values = {
        key: value for key, value in rest.items() if callable(value) or (isinstance(value, list) and key != "says")
    }
    others = {key: value for key, value in rest.items() if key not in values}
    series = {key: [value(t) for t in steps] if callable(value) else value for key, value in values.items()}
    text = text if isinstance(text, str | bytes) else "\n".join(text) + "\n"
    assert name not in KNOWN
    KNOWN[name] = Known(file, text, steps, series, **others)


def steps_of(epochs: int, batches: int, every: int = 1, first: int = 0) -> list[tuple[int, int, int]]:
    """Epoch from 0, batch in it and step of each line that is printed."""
    return [(e, b, e * batches + b) for e in range(epochs) for b in range(first, batches + (first > 0), every)]


Line = Callable[[int, int, int], str]
