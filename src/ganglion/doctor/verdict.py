"""What the doctor concludes: findings with their evidence, and the state that they amount to."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Literal, NamedTuple, Self

__all__ = ["Evidence", "Finding", "Remedy", "Severity", "State", "Verdict", "number_text"]


Severity = Literal["watch", "failing"]

State = Literal["healthy", "watch", "failing", "unknown"]

WIDTH = 100


class Evidence(NamedTuple):
    """A number that was ruled on and the bound that it broke, or a number without a bound that helps to understand it."""

    name: str
    value: float
    expected: str
    """`low` and `high` in words; "any" where there is no bound."""
    low: float | None = None
    """The smallest value that is expected."""
    high: float | None = None
    """The largest."""

    @classmethod
    def at_most(cls, name: str, value: float, high: float) -> Self:
        """A number that a finding was raised for because it is above `high`."""
        high = _rounded(high, ROUND_FLOOR)
        return cls(name, value, f"at most {high:g}", high=high)

    @classmethod
    def at_least(cls, name: str, value: float, low: float) -> Self:
        """A number that a finding was raised for because it is below `low`."""
        low = _rounded(low, ROUND_CEILING)
        return cls(name, value, f"at least {low:g}", low=low)

    @classmethod
    def context(cls, name: str, value: float) -> Self:
        """A number that decided nothing."""
        return cls(name, value, "any")

    @property
    def fits(self) -> bool:
        """Whether the value is as expected."""
        return self._holds(self.value)

    @property
    def shown(self) -> str:
        """The value in as few digits, from three on, as leave it on its side of the bound."""
        texts = (number_text(self.value), *(f"{self.value:.{digits}g}" for digits in range(4, 18)))
        return next(text for text in texts if self._holds(float(text.replace(",", ""))) == self.fits)

    def _holds(self, value: float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        bounded = self.low is not None or self.high is not None
        return f"{self.name} {self.shown}" + (f" (expected {self.expected})" if bounded else "")


class Remedy(NamedTuple):
    """One thing to change."""

    what: str
    """In a person's words."""
    recipe: str = ""
    """As options of `ganglion train`."""
    code: str = ""
    """In a training loop of one's own."""


@dataclass(frozen=True)
class Finding:
    """One diagnosis."""

    code: str
    severity: Severity
    since_step: int
    evidence: list[Evidence]
    why: str
    remedy: list[Remedy]
    """Best first."""
    inferred: bool = False
    """Whether it is concluded from losses alone, which mean something else in every objective."""
    because_of: str | None = None
    """The code of the finding that this one follows from."""

    def paragraph(self, own_run: bool = True) -> str:
        """Plain text of a few lines; remedies for our recipes, or for a loop of one's own."""
        sure = " (from losses alone)" if self.inferred else ""
        cause = f", a consequence of {self.because_of}" if self.because_of else ""
        lines = [f"{self.severity}: {self.code}{sure}, since step {self.since_step:,}{cause}"]
        lines += _wrapped(self.why)
        lines += _wrapped("Seen: " + "; ".join(map(str, self.evidence)) + ".")
        for number, remedy in enumerate(self.remedy, start=1):
            how = remedy.recipe if own_run else remedy.code
            lines += _wrapped(f"{number}. {remedy.what}" + (f": {how}" if how else ""), indent="     ", first="  ")
        return "\n".join(lines)


@dataclass(frozen=True)
class Verdict:
    """The findings' sum."""

    state: State
    findings: list[Finding] = field(default_factory=list)
    """Causes before consequences, failing before watch."""
    step: int = 0
    """The last step that was seen."""
    unseen: list[str] = field(default_factory=list)
    """What could not be judged, and why, in a person's words."""
    own_run: bool = True
    """Whether the run is ours, so that remedies are options of `ganglion train`."""

    @property
    def headline(self) -> str:
        """The state in a sentence, without its name."""
        return {
            "healthy": f"nothing is wrong at step {self.step:,}",
            "watch": f"something may be going wrong at step {self.step:,}",
            "failing": f"this training will not recover by itself (step {self.step:,})",
            "unknown": f"too little was seen to say more (step {self.step:,})",
        }[self.state]

    def text(self) -> str:
        """For a terminal."""
        parts = [
            f"Verdict {self.state}: {self.headline}",
            *(finding.paragraph(self.own_run) for finding in self.findings),
        ]
        return "\n".join([*parts, *(f"Not judged: {reason}." for reason in self.unseen)])

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        tree = asdict(self)
        for finding, plain in zip(self.findings, tree["findings"], strict=True):
            plain["evidence"] = [{"name": e.name, "value": e.value, "expected": e.expected} for e in finding.evidence]
            plain["remedy"] = [one._asdict() for one in finding.remedy]
        return tree


def _wrapped(text: str, indent: str = "  ", first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent if first is None else first, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def number_text(value: float) -> str:
    """Three digits, or thousands with commas."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _rounded(limit: float, direction: str) -> float:
    """Four digits, so that the number and its text are equal; rounded away from the values that break the bound."""
    exact = Decimal(repr(float(limit)))
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - 3), direction))
