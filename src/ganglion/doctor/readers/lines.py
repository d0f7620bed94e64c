"""JSON lines: our own `vitals.jsonl`, StyleGAN's `stats.jsonl`, and any program's that writes an object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ganglion.doctor.readers.names import record_of
from ganglion.doctor.readers.series import in_order

__all__ = ["read_lines"]


def read_lines(text: str) -> list[dict[str, Any]]:
    """Records of all whole lines. Our own are taken as they are."""
    trees = list(_trees(text))
    if trees and all(isinstance(tree.get("step"), int) and "kimg" in tree for tree in trees):
        return trees
    return in_order(_row(tree) for tree in trees)


def _trees(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            tree = json.loads(line)
        except ValueError:
            continue
        if isinstance(tree, dict):
            yield tree


def _row(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Nested names are joined; StyleGAN's {num, mean, std} is a mean, and for D's scores a deviation too."""
    row = record_of(_flat(tree))
    for side in ("real", "fake"):
        scores = tree.get(f"Loss/scores/{side}")
        if isinstance(scores, Mapping) and isinstance(scores.get("std"), int | float):
            row[f"logit_{side}_std"] = float(scores["std"])
    if "step" not in row and "kimg" in row:
        row["step"] = round(row["kimg"] * 1000)  # images: StyleGAN counts nothing else
    return row


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            if "mean" in value and "num" in value:
                yield prefix + name, value["mean"]
            else:
                yield from _flat(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value
