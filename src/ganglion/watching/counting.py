"""The number of real images that D was shown, also in steps that are not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

__all__ = ["ImageCount"]


class Call(Protocol):
    """What is noted of each call of D."""

    @property
    def n(self) -> int: ...

    @property
    def attached(self) -> bool: ...


class ImageCount:
    """Learns in measured steps which of D's calls are on reals, and counts these in all steps."""

    def __init__(self) -> None:
        self.images = 0
        self.blind = 0
        """Steps before it was known which images are real."""
        self._patterns: dict[tuple[bool, ...], dict[int, float]] = {}
        self._share_real = 0.0  # of the images in D's calls

    def learn(self, calls: Sequence[Call], real: Mapping[int, int] | None) -> None:
        """A measured step: how many images of which calls are real; None where that is not known."""
        if real is None and self._patterns:
            self.add(calls)
        elif real is None:
            self.blind += 1
        else:
            self._patterns[_signature(calls)] = {index: n / max(1, calls[index].n) for index, n in real.items()}
            self.images += sum(real.values()) * (1 + self.blind)
            self.blind = 0 if real else self.blind
            total = sum(call.n for call in calls)
            self._share_real = sum(real.values()) / total if total and real else self._share_real

    def add(self, calls: Sequence[Call]) -> None:
        """A step that is not measured."""
        shares = self._patterns.get(_signature(calls))
        if shares is None:
            self.images += round(self._share_real * sum(call.n for call in calls))
        else:
            self.images += sum(round(share * calls[index].n) for index, share in shares.items())


def _signature(calls: Sequence[Call]) -> tuple[bool, ...]:
    return tuple(call.attached for call in calls)
