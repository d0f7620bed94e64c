"""Records of vitals: reading `vitals.jsonl`, and the status line. Needs neither torch nor TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

__all__ = ["Record", "is_step", "parsed", "read_lines", "read_records", "status_line"]


DEEPEST = 16
"""Most levels of nesting in a line; a record has three."""

Record = dict[str, Any]
"""Numbers by name, and histograms as mappings. `step` and `kimg` always; other keys where they were measured."""


def read_records(path: Path) -> list[Record]:
    """Every complete record in a `vitals.jsonl`; a truncated last line is skipped."""
    return [record for record in read_lines(path) if is_step(record.get("step"))]


def read_lines(path: Path) -> list[Record]:
    """Every line of a JSONL file that is a complete JSON object."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [tree for line in lines if (tree := parsed(line)) is not None]


def parsed(line: str) -> Record | None:
    """The line as a JSON object; None where it is not an object, is truncated, is nested deeper than DEEPEST, or holds an
    integer of thousands of digits.
    """
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) and _is_flat(tree) else None


def _is_flat(tree: Any, levels: int = DEEPEST) -> bool:
    """Whether containers are nested at most `levels` deep."""
    if not isinstance(tree, dict | list):
        return True
    return levels > 0 and all(
        _is_flat(inner, levels - 1) for inner in (tree.values() if isinstance(tree, dict) else tree)
    )


def is_step(value: object) -> TypeGuard[int]:
    """Whether a value is a step number: a non-negative integer of at most 63 bits, not a bool."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def status_line(record: Mapping[str, Any], state: str | None = None) -> str:
    """One line for a terminal: progress, speed, time left, losses, AUC of D's logits, distance to the data, and `state`, the
    verdict and what the samples are worth in words.
    """
    parts = [f"{record['kimg']:,.1f} kimg", f"{record['images_per_sec']:,.0f} images/s"]
    if record.get("eta_sec") is not None:
        parts.append(f"{_clock(record['eta_sec'])} left")
    if "loss_d" in record and "loss_g" in record:
        parts.append(f"loss D {record['loss_d']:.2f} G {record['loss_g']:.2f}")
    if "separation" in record:
        parts.append(f"D AUC {record['separation']:.2f}")
    if "swd" in record:
        floor = f" (floor {record['swd_floor']:.0f})" if "swd_floor" in record else ""
        parts.append(f"SWD {record['swd']:.0f}{floor}")
    if "augment_strength" in record:
        parts.append(f"augment p {record['augment_strength']:.2f}")
    if state is not None:
        parts.append(state)
    return "  ".join(parts)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
