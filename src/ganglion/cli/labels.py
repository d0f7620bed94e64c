"""The part of `ganglion data` that is about the labels file: its columns, and what is odd about it."""

from __future__ import annotations

from typing import Any

__all__ = ["labels_text"]

LISTED = 8
"""Values of a column that are listed."""


def labels_text(found: dict[str, Any] | None) -> list[str]:
    """Lines on the labels file: each column's kind and values, then remarks; none where there is no such file."""
    if found is None:
        return []
    if found["not_used"]:
        return [f"Labels: {found['name']} is not used: {found['not_used']}"]
    columns = [column for column in found["columns"] if column["kind"]]
    lines = [f"Labels: {found['name']}, {len(columns)} usable column{'s' if len(columns) != 1 else ''}"]
    lines += [f"  {column['name']}: {_values(column)}{_rest(column)}" for column in columns]
    return lines + [f"  {remark}" for remark in found["remarks"]]


def _values(column: dict[str, Any]) -> str:
    if column["kind"] == "number":
        return f"a number from {column['low']:g} to {column['high']:g}, mean {column['mean']:.4g}"
    counts = sorted(column["values"].items(), key=lambda value: -value[1])
    listed = ", ".join(f"{name} ({count:,})" for name, count in counts[:LISTED])
    more = ", ..." if len(counts) > LISTED else ""
    return f"yes or no: {listed}" if column["kind"] == "yes-no" else f"{len(counts)} classes: {listed}{more}"


def _rest(column: dict[str, Any]) -> str:
    """Missing and rare values."""
    said = [f"{column['missing']:,} missing"] if column["missing"] else []
    rare = column.get("rare", ())
    if 0 < len(rare) < len(column["values"]):
        names = ", ".join(rare[:LISTED]) + (", ..." if len(rare) > LISTED else "")
        said.append(f"rare: {names} (--set data.sampling=balanced shows them more often)")
    return "".join(f"; {one}" for one in said)
