"""Healthy bands: for each number of the record, its range in healthy runs of a recipe, over thousands of images.

The bands come from our own benchmark (`benchmarks/bands.py`) and are stored in `bands/`. They are for display only; the
doctor does not use them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BANDS", "Band", "healthy_bands"]


BANDS = Path(__file__).parent / "bands"


@dataclass(frozen=True)
class Band:
    """The range of healthy runs: three columns of equal length, over thousands of images."""

    kimg: list[float]
    low: list[float]
    high: list[float]


def healthy_bands(recipe: str, folder: Path = BANDS) -> tuple[dict[str, Band], str]:
    """The bands of a recipe by the record's key, and their origin; empty for a recipe without any."""
    path = folder / f"{recipe}.json"
    if not path.is_file():
        return {}, ""
    tree = json.loads(path.read_text(encoding="utf-8"))
    return {key: Band(tree["kimg"], low, high) for key, (low, high) in tree["bands"].items()}, tree["about"]
