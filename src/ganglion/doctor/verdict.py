"""The doctor's results: findings with their remedies, and the verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ganglion.doctor.evidence import Evidence
from ganglion.notebook.fragment import fragment

if TYPE_CHECKING:
    from ganglion.doctor.forecast import Forecast
    from ganglion.doctor.probability import Chance
    from ganglion.doctor.readers.understanding import Understanding

__all__ = ["Finding", "Remedy", "Severity", "State", "Verdict"]


Severity = Literal["watch", "failing"]

State = Literal["healthy", "watch", "failing", "unknown"]

WIDTH = 100
EVEN = 0.5  # chance of a good end, below which a bad one is likelier
NO_REMEDY = "All that is known to help was tried, or is there already: look at the images, or take other networks."


class Remedy(NamedTuple):
    """One change, or something else to do."""

    name: str
    """Of the idea, the same for every run."""
    what: str
    """A sentence without its full stop; of a run whose recipe is known with its numbers."""
    settings: Mapping[str, object] = {}
    """New values of the recipe by dotted key."""
    command: str = ""
    """One line for a shell that does it on this run (a call of `ganglion.train` where no command line can)."""
    code: str = ""
    """For the user's own training loop."""
    recipe: str = ""
    """Another recipe that replaces the run's."""
    fresh: bool = False
    """Whether the run's weights are of no use with it, so that training starts over."""

    def __str__(self) -> str:
        how = self.command or self.code
        return f"{self.what}: {how}" if how else f"{self.what}."


@dataclass(frozen=True)
class Finding:
    """One diagnosis."""

    code: str
    severity: Severity
    since_step: int
    evidence: list[Evidence]
    why: str
    remedies: list[Remedy]
    """Best first. Empty where all that the doctor knows was tried, or is there already."""
    inferred: bool = False
    """Whether it rests on losses alone, whose levels differ between objectives."""
    because_of: str | None = None
    """The code of the finding that causes this one."""

    def _repr_html_(self) -> str:
        return fragment("finding.html", finding=self)

    @property
    def remedy(self) -> str:
        """The first remedy as a sentence, with the command or the code that carries it out."""
        return str(self.remedies[0]) if self.remedies else NO_REMEDY

    def paragraph(self, unit: str = "step") -> str:
        """Plain text of a few lines. A command stands on a line of its own, so that it can be copied."""
        sure = " (from losses alone)" if self.inferred else ""
        cause = f", a consequence of {self.because_of}" if self.because_of else ""
        lines = [f"{self.severity}: {self.code}{sure}, since {unit} {self.since_step:,}{cause}"]
        lines += _wrapped(self.why)
        lines += _wrapped("Measured: " + "; ".join(map(str, self.evidence)) + ".")
        lines += _wrapped(NO_REMEDY) if not self.remedies else []
        for number, remedy in enumerate(self.remedies, start=1):
            told = f"{remedy.what}:" if remedy.command else str(remedy)
            lines += _wrapped(f"{number}. {told}", indent="     ", first="  ")
            lines += [f"     {remedy.command}"] if remedy.command else []
        return "\n".join(lines)


@dataclass(frozen=True)
class Verdict:
    """The findings of a run and its overall state."""

    state: State
    findings: list[Finding] = field(default_factory=list)
    """Causes before consequences, failing before watch."""
    step: int = 0
    """Step of the last record."""
    unseen: list[str] = field(default_factory=list)
    """What could not be assessed, and why."""
    own_run: bool = True
    """Whether the run is one of `ganglion train`, so that remedies are its commands."""
    unit: str = "step"
    """What `step` and `since_step` count: step, epoch, image, tick or row."""
    understood: Understanding | None = None
    """How the log was read; None where records were given."""
    seen: list[str] = field(default_factory=list)
    """What a watched training showed, at its last record."""
    treated: list[str] = field(default_factory=list)
    """What `ganglion train --treat` did to the run, when, why and what came of it, a paragraph each."""
    forecast: Forecast | None = None
    """What the samples are worth, and what a longer run would bring; None where no record has a relative distance."""
    chance: Chance | None = None
    """How likely the run is to end well; None where neither samples nor losses were measured."""

    @property
    def label(self) -> str:
        """The state, and whether the samples are good, as far as that was measured; a run with findings is not called done."""
        if self.forecast is None or (self.forecast.done and self.findings):
            return self.state
        return f"{self.state}, {'done' if self.forecast.done else 'not done'}"

    @property
    def status(self) -> str:
        """The state and what the samples are worth, for a status line."""
        return self.label if self.forecast is None else f"{self.label}: {self.forecast.short}"

    @property
    def headline(self) -> str:
        """The state in a sentence, without its name."""
        return {
            "healthy": f"no findings at {self.unit} {self.step:,}; {self._how_it_may_end}",
            "watch": f"possible problems at {self.unit} {self.step:,}",
            "failing": f"this training has failed, or will without a change ({self.unit} {self.step:,})",
            "unknown": f"not enough was measured for a verdict ({self.unit} {self.step:,})",
        }[self.state]

    @property
    def _how_it_may_end(self) -> str:
        """Of a run without findings."""
        if self.chance is not None and self.chance.probability < EVEN:
            return "but most runs with such records ended badly"
        return "how good the samples are is another question"

    @property
    def samples(self) -> str:
        """What the samples are worth, and what to do; empty where it was not measured. Of a failing run no duration."""
        return "" if self.forecast is None else self.forecast.text(self.own_run, advise=self.state != "failing")

    def text(self) -> str:
        """For a terminal."""
        foreign = self.understood is not None and not self.understood.is_ours
        parts = [
            *([self.understood.text()] if self.understood is not None and foreign else []),
            f"Verdict {self.label}: {self.headline}",
            *([f"Samples: {self.samples}"] if self.forecast is not None else []),
            *(finding.paragraph(self.unit) for finding in self.findings),
            *self._chance_lines(),
        ]
        parts += ["\n".join(_wrapped(paragraph, first="")) for paragraph in self.treated]
        parts += [f"Seen: {'; '.join(self.seen)}."] if self.seen else []
        return "\n".join([*parts, *(f"Not assessed: {reason}." for reason in self.unseen)])

    def _chance_lines(self) -> list[str]:
        """The chance of a good end, and the most similar runs, a line each."""
        if self.chance is None:
            return []
        told = _wrapped(f"Chance of a good end: {self.chance.text()} The nearest:", first="")
        return [*told, *(f"  {run.text()}" for run in self.chance.similar.nearest)]

    def _repr_html_(self) -> str:
        log = self.understood.text() if self.understood is not None and not self.understood.is_ours else ""
        return fragment("verdict.html", verdict=self, log=log)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        tree = asdict(replace(self, understood=None, chance=None))
        del tree["understood"]
        tree["chance"] = None if self.chance is None else self.chance.to_json()
        for finding, plain in zip(self.findings, tree["findings"], strict=True):
            plain["evidence"] = [{"name": e.name, "value": e.value, "expected": e.expected} for e in finding.evidence]
            plain["remedy"] = finding.remedy
            plain["remedies"] = [one._asdict() for one in finding.remedies]
        return tree | (self.understood.to_json() if self.understood is not None else {})


def _wrapped(text: str, indent: str = "  ", first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent if first is None else first, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
