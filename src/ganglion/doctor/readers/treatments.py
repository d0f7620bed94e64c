"""The treatments of a run: its `treatments.jsonl`, and where its earlier attempts are kept. Nothing is written here.

RUN/treatments.jsonl     a line for each treatment, and one for the end, when the best attempt is known
RUN/attempts/1           the first attempt, a run folder like any other;  RUN itself holds the newest, in the end the best one
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ganglion.vitals.records import read_lines

__all__ = ["ATTEMPTS", "TREATMENTS", "Ending", "Treatment", "attempt_folder", "ending_of", "treated", "treatments_of"]

TREATMENTS, ATTEMPTS = "treatments.jsonl", "attempts"
Line = TypeVar("Line", "Treatment", "Ending")


@dataclass(frozen=True)
class Treatment:
    """The end of an attempt by a failing verdict, and what the next one is."""

    number: int
    """Of the treatment and of the attempt that it ended, from 1."""
    step: int
    """At which the attempt ended; of that attempt, as are `kimg` and `seconds`."""
    kimg: float
    seconds: float
    findings: list[str]
    """Codes of the failing findings."""
    cause: str
    """Code of the finding whose remedy it is."""
    remedy: str
    """Its name."""
    what: str
    """A sentence without its full stop."""
    settings: dict[str, object]
    """New values of the recipe by dotted key."""
    other_recipe: str
    """The recipe that replaces the attempt's; empty where that stays."""
    start: int | None
    """The step of the attempt with whose weights the next one begins; None: with new weights."""
    left: str
    """What is left of the budget, in words."""
    threads: int | None
    """CPU threads of the attempt; those of the next one, so that its sums are rounded alike."""
    recipe: dict[str, Any]
    """The next attempt's, every value resolved."""

    def to_json(self) -> dict[str, Any]:
        """A line of the file."""
        return {"event": "treatment", **dataclasses.asdict(self)}

    def text(self) -> str:
        """What was done, when and why, in a paragraph."""
        codes = ", ".join(self.findings)
        because = f" (its cause: {self.cause})" if self.cause not in self.findings else ""
        back = "Back to the start" if self.start is None else f"Back to the weights of step {self.start:,}"
        back = "Back to the weights that it started from" if self.start == 0 else back
        return (
            f"Treatment {self.number}, at {self.kimg:,.3g} kimg (step {self.step:,}) of attempt {self.number}, failing by "
            f"{codes}{because}. {self.what}. {back}; {self.left} are left."
        )


@dataclass(frozen=True)
class Ending:
    """How a treated run ended."""

    best: int
    """The attempt with the best score, which RUN now holds."""
    last: int
    """The number of attempts."""
    scores: dict[str, float]
    """The best score of each attempt by its number, where it has one; lower is better."""
    state: str
    """The verdict's of the last attempt."""
    kimg: float
    """Of the last attempt."""
    budget: dict[str, float]
    """The run's, by its key."""

    def to_json(self) -> dict[str, Any]:
        """A line of the file."""
        return {"event": "end", **dataclasses.asdict(self)}

    def text(self) -> str:
        """What came of it, in a paragraph."""
        known = {number: self.scores.get(str(number)) for number in range(1, self.last + 1)}
        texts = [
            f"{'none' if score is None else f'{score:,.4g}'} in attempt {number}" for number, score in known.items()
        ]
        scores = f" Best scores that compare, lower is better: {', '.join(texts)}." if self.scores else ""
        others = "The other attempts are" if self.last > 2 else "The other attempt is"
        return (
            f"Attempt {self.last}, the last one, ended {self.state} after {self.kimg:,.3g} kimg.{scores} The run holds attempt "
            f"{self.best}, whose best checkpoint is the best of all. {others} in its folder {ATTEMPTS}."
        )


def attempt_folder(run: Path, number: int) -> Path:
    """Where an attempt is kept once another one has followed it."""
    return run / ATTEMPTS / str(number)


def treatments_of(run: Path) -> list[Treatment]:
    """Oldest first; empty of a run that was not treated. A line that cannot be read ends the list."""
    found: list[Treatment] = []
    for line in read_lines(run / TREATMENTS):
        if line.get("event") == "treatment":
            one = _of(Treatment, line)
            if one is None or one.number != len(found) + 1:
                break
            found.append(one)
    return found


def ending_of(run: Path) -> Ending | None:
    """None where the run was not treated, or goes on."""
    lines = read_lines(run / TREATMENTS)
    return _of(Ending, lines[-1]) if lines and lines[-1].get("event") == "end" else None


def treated(run: Path) -> list[str]:
    """What was done to the run, when, why and what came of it, a paragraph each; empty of a run that was not treated."""
    treatments, ending = treatments_of(run), ending_of(run)
    told = [one.text() for one in treatments]
    if ending is not None:
        return [*told, ending.text()]
    return [*told, f"Attempt {len(told) + 1} has not ended yet."] if told else []


def _of(kind: type[Line], line: Mapping[str, Any]) -> Line | None:
    try:
        return kind(**{field.name: line[field.name] for field in dataclasses.fields(kind)})
    except KeyError:
        return None
