"""Parsing of numbers in logs."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["LARGEST", "number_of", "read_number"]


LARGEST = 1e60
"""Beyond any value of float32 (3.4e38), and small enough that squares of quotients do not overflow."""


def read_number(value: Any) -> float | None:
    """A number or its text as a float; infinity if it overflows; None for booleans and anything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return None


def number_of(value: Any) -> float | None:
    """The same for a measurement, which may be infinite or NaN. None for integers that overflow a float and for finite numbers
    beyond `LARGEST`; numbers below 1 / LARGEST become 0.
    """
    number = read_number(value)
    if number is None or LARGEST < abs(number) < math.inf:
        return None
    if math.isinf(number) and (isinstance(value, int) or str(value).strip().lstrip("+-").isdigit()):
        return None
    return 0.0 if abs(number) < 1 / LARGEST else number
