"""What counts as a number in a log."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["LARGEST", "number_of", "read_number"]


LARGEST = 1e60
"""No network computes beyond it (float32 ends at 3.4e38), and squares of quotients of what is left do not overflow."""


def read_number(value: Any) -> float | None:
    """The number that a value or its text is; infinity for one that no float holds; None for truth values and no numbers."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return None


def number_of(value: Any) -> float | None:
    """The same where it may be a measurement: infinities and NaN are. None for integers that no float holds and for finite
    numbers beyond `LARGEST`; one nearer to 0 than its inverse is 0.
    """
    number = read_number(value)
    if number is None or LARGEST < abs(number) < math.inf:
        return None
    if math.isinf(number) and (isinstance(value, int) or str(value).strip().lstrip("+-").isdigit()):
        return None
    return 0.0 if abs(number) < 1 / LARGEST else number
