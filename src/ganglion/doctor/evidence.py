"""The numbers that a finding rests on, with the bounds that they violate, and how they are written."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple, Self

__all__ = ["Evidence", "number_text"]


class Evidence(NamedTuple):
    """A number that violates its bound, or a number without a bound that adds context."""

    name: str
    value: float
    expected: str
    """`low` and `high` in words; "any" where there is no bound."""
    low: float | None = None
    """The smallest expected value."""
    high: float | None = None
    """The largest expected value."""

    @classmethod
    def at_most(cls, name: str, value: float, high: float) -> Self:
        """A number for which a finding was raised because it is above `high`."""
        high = _rounded(high, ROUND_FLOOR)
        return cls(name, value, f"at most {high:g}", high=high)

    @classmethod
    def at_least(cls, name: str, value: float, low: float) -> Self:
        """A number for which a finding was raised because it is below `low`."""
        low = _rounded(low, ROUND_CEILING)
        return cls(name, value, f"at least {low:g}", low=low)

    @classmethod
    def context(cls, name: str, value: float) -> Self:
        """A number that did not decide the finding."""
        return cls(name, value, "any")

    @property
    def fits(self) -> bool:
        """Whether the value is within its bounds."""
        return self._holds(self.value)

    @property
    def shown(self) -> str:
        """The value with the fewest digits, at least three, that keep it on its side of the bound."""
        texts = (number_text(self.value), *(f"{self.value:.{digits}g}" for digits in range(4, 18)))
        return next(text for text in texts if self._holds(float(text.replace(",", ""))) == self.fits)

    def _holds(self, value: float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        bounded = self.low is not None or self.high is not None
        return f"{self.name} {self.shown}" + (f" (expected {self.expected})" if bounded else "")


def number_text(value: float) -> str:
    """Three significant digits, or thousands with commas."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _rounded(limit: float, direction: str) -> float:
    """Four significant digits, so that the number equals its text; rounded away from the values that violate the bound."""
    exact = Decimal(repr(float(limit)))
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - 3), direction))
