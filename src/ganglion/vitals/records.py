"""The record: one line of vitals, as it is read back and as a person sees it. Knows neither torch nor TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

__all__ = ["Record", "is_step", "parsed", "read_lines", "read_records", "status_line"]


DEEPEST = 16
"""Levels of containers in a line; a record has three."""

Record = dict[str, Any]
"""Numbers by name, and histograms as mappings. Always `step` and `kimg`; the others where they were measured."""


def read_records(path: Path) -> list[Record]:
    """Every whole record in a `vitals.jsonl`; a last line that a kill cut off is left out."""
    return [record for record in read_lines(path) if is_step(record.get("step"))]


def read_lines(path: Path) -> list[Record]:
    """Every line of a JSONL file that is a whole JSON object."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [tree for line in lines if (tree := parsed(line)) is not None]


def parsed(line: str) -> Record | None:
    """The JSON object that a line is; None where it is none, is cut off, is nested deeper than any record, or holds an
    integer of thousands of digits.
    """
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) and _is_flat(tree) else None


def _is_flat(tree: Any, levels: int = DEEPEST) -> bool:
    """Whether containers stand in one another no deeper than that."""
    if not isinstance(tree, dict | list):
        return True
    return levels > 0 and all(
        _is_flat(inner, levels - 1) for inner in (tree.values() if isinstance(tree, dict) else tree)
    )


def is_step(value: object) -> TypeGuard[int]:
    """Whether a value counts steps: an integer of at most 63 bits, not negative, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def status_line(record: Mapping[str, Any], state: str | None = None) -> str:
    """The same values for a person: progress, speed, time left, losses, what D believes, and the doctor's verdict."""
    parts = [f"{record['kimg']:,.1f} kimg", f"{record['images_per_sec']:,.0f} images/s"]
    if record.get("eta_sec") is not None:
        parts.append(f"{_clock(record['eta_sec'])} left")
    if "loss_d" in record and "loss_g" in record:
        parts.append(f"loss D {record['loss_d']:.2f} G {record['loss_g']:.2f}")
    if "separation" in record:
        parts.append(f"D tells {record['separation']:.0%}")
    if "swd" in record:
        parts.append(f"distance {record['swd']:.0f}")
    if "augment_strength" in record:
        parts.append(f"augment {record['augment_strength']:.0%}")
    if state is not None:
        parts.append(state)
    return "  ".join(parts)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
