"""One finding a file. What is listed here is looked for, in this order."""

from __future__ import annotations

from ganglion.doctor.rule import Rule

__all__ = ["RULES"]

RULES: dict[str, Rule] = {}
