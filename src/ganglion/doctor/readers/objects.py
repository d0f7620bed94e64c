"""JSON as rows: lines of objects, arrays, histories of lists, tables in JSON, and the output of notebooks."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ganglion.doctor.numbers import read_number
from ganglion.doctor.readers.columns import Rows
from ganglion.doctor.readers.decode import Line
from ganglion.doctor.readers.tables import add_cells
from ganglion.doctor.readers.text_lines import POSITION
from ganglion.vitals.records import parsed

__all__ = ["add_tree", "notebook_text", "read_json", "read_objects", "trees_of"]


DEEPEST = 12
LONGEST_LIST = 5_000_000


def read_objects(lines: Iterable[Line], rows: Rows) -> Rows:
    """JSON lines: each object is a row."""
    bad = total = 0
    for line in lines:
        rows.lines = line.number
        text = line.text.strip().rstrip(",")
        if not text:
            continue
        total += 1
        tree = parsed(text)
        if tree is None:
            bad += 1
        else:
            add_cells(rows, flat(tree), line.number)
    if bad > 1:
        rows.notes.append(f"{bad:,} of {total:,} lines are no complete JSON objects and were left out")
    return rows


def trees_of(text: str) -> tuple[list[Any], bool]:
    """The JSON values of a text, one after another, and whether it was complete. Of an array that is cut off, its items."""
    decoder, found, position = json.JSONDecoder(), list[Any](), 0
    inside = False
    while True:
        position = _skip(text, position, " \t\r\n," if found or inside else " \t\r\n")
        if position >= len(text):
            return found, not inside
        if inside and text[position] == "]":
            return found, True
        try:
            tree, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            if not found and not inside and text[position] == "[":
                inside, position = True, position + 1
                continue
            return found, False
        found.append(tree)


def _skip(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position


def read_json(text: str, rows: Rows) -> Rows:
    """A document, or several one after another."""
    trees, complete = trees_of(text)
    if not complete:
        rows.notes.append("the JSON is cut off or damaged: what came before that was read")
    if len(trees) > 1 and all(isinstance(tree, Mapping) for tree in trees):
        add_tree(trees, rows)
    else:
        for tree in trees:
            add_tree(tree, rows)
    return rows


def add_tree(tree: Any, rows: Rows, name: str = "", depth: int = 0) -> None:
    """Rows of one JSON value, whatever its shape."""
    if depth > DEEPEST:
        return
    if isinstance(tree, list):
        _add_list(tree, rows, name, depth)
    elif isinstance(tree, Mapping):
        _add_mapping(tree, rows, name, depth)


def _add_list(items: list[Any], rows: Rows, name: str, depth: int) -> None:
    if items and all(isinstance(item, Mapping) for item in items):
        for i, item in enumerate(items, start=1):
            lists = {
                key: value for key, value in item.items() if isinstance(value, list | Mapping) and _holds_series(value)
            }
            if lists:
                add_tree(lists, rows, name, depth + 1)
            add_cells(rows, ((key, value) for key, value in flat(item) if key not in lists), rows.lines + i)
        rows.lines += len(items)
    elif _numbers(items):
        _add_series({name or "value": items}, rows)
    elif items and all(isinstance(item, list) and len(item) in (2, 3) and _numbers(item) for item in items):
        for i, item in enumerate(items, start=1):  # [step, value], or [time, step, value] as TensorBoard exports
            add_cells(rows, [("step", item[-2]), (name or "value", item[-1])], rows.lines + i)
        rows.lines += len(items)
    else:
        for item in items[:1000]:
            add_tree(item, rows, name, depth + 1)


def _add_mapping(tree: Mapping[str, Any], rows: Rows, name: str, depth: int) -> None:
    columns, data = tree.get("columns"), tree.get("data")
    if isinstance(columns, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        for i, row in enumerate(data, start=1):
            add_cells(rows, zip(map(str, columns), row, strict=False), rows.lines + i)
        rows.lines += len(data)
        return
    steps, values = _first(tree, "steps", "step", "iterations", "x"), _first(tree, "values", "value", "y")
    if isinstance(steps, list) and isinstance(values, list) and name:
        for i, (step, value) in enumerate(zip(steps, values, strict=False), start=1):
            add_cells(rows, [("step", step), (name, value)], rows.lines + i)
        return
    if tree and all(isinstance(value, Mapping) for value in tree.values()) and _counted_keys(tree):
        for key, value in sorted(tree.items(), key=lambda item: int(item[0])):
            add_cells(rows, [(POSITION.name, int(key)), *flat(value)], rows.lines + int(key) % 2**31)
        return
    series = {_joined(name, key): values for key, value in tree.items() if (values := _series(value))}
    _add_series(series, rows)
    inner = {key: value for key, value in tree.items() if _joined(name, key) not in series and _goes_on(value)}
    for key, value in inner.items():
        add_tree(value, rows, name if key in WRAPPERS else _joined(name, key), depth + 1)
    plain = [(_joined(name, key), value) for key, value in flat({k: v for k, v in tree.items() if k not in inner})]
    plain = [(key, value) for key, value in plain if not isinstance(value, list)]
    if plain and not series:
        rows.lines += 1
        add_cells(rows, plain, rows.lines)


WRAPPERS = ("history", "log_history", "metrics", "data", "logs", "records")
"""Keys that say nothing of the numbers under them."""


def _goes_on(value: Any, depth: int = 0) -> bool:
    """Whether a value holds lists of numbers or objects, so that it is more than one row."""
    if isinstance(value, list):
        return bool(value) and (isinstance(value[0], Mapping | list) or len(value) > 1)
    return (
        isinstance(value, Mapping) and depth < DEEPEST and any(_goes_on(inner, depth + 1) for inner in value.values())
    )


def _joined(name: str, key: str) -> str:
    return f"{name}/{key}" if name else str(key)


def _first(tree: Mapping[str, Any], *keys: str) -> Any:
    return next((tree[key] for key in keys if key in tree), None)


def _counted_keys(tree: Mapping[str, Any]) -> bool:
    """Whether an object has numbers for keys, as pandas writes a column."""
    return all(isinstance(key, str) and key.isdecimal() and len(key) < 18 for key in tree)


def _holds_series(value: Any) -> bool:
    return _series(value) is not None


def _series(value: Any) -> list[Any] | None:
    """A list of numbers, or an object that counts them in its keys; None for anything else."""
    if isinstance(value, Mapping):
        numbers = (
            bool(value)
            and _counted_keys(value)
            and all(read_number(v) is not None or v is None for v in value.values())
        )
        return [value[key] for key in sorted(value, key=int)] if numbers else None
    return value if isinstance(value, list) and _numbers(value) else None


def _numbers(items: Sequence[Any]) -> bool:
    return bool(items) and all(item is None or read_number(item) is not None for item in items)


def _add_series(series: Mapping[str, list[Any]], rows: Rows) -> None:
    """Lists side by side: item i of each is one row."""
    longest = min(max(map(len, series.values()), default=0), LONGEST_LIST)
    for i in range(longest):
        row = [(name, values[i]) for name, values in series.items() if i < len(values)]
        add_cells(rows, [(POSITION.name, i + 1), *row], rows.lines + i + 1)
    rows.lines += longest


def flat(tree: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Names and values, nested names joined by slashes; of StyleGAN's {num, mean, std} the mean and the deviation."""
    for name, value in tree.items():
        if not isinstance(value, Mapping):
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
            yield f"{prefix}{name}", value
        elif "mean" in value and "num" in value:
            yield f"{prefix}{name}", value["mean"]
            yield f"{prefix}{name} std", value.get("std")
        elif depth < DEEPEST:
            yield from flat(value, f"{prefix}{name}/", depth + 1)


def notebook_text(tree: Mapping[str, Any]) -> str:
    """What the cells of a notebook printed, in order; HTML tables as lines of cells."""
    parts: list[str] = []
    sheets = [tree, *_objects(tree.get("worksheets"))]  # of notebooks of format 3
    for output in (
        o for sheet in sheets for cell in _objects(sheet.get("cells")) for o in _objects(cell.get("outputs"))
    ):
        data = output["data"] if isinstance(output.get("data"), Mapping) else output
        if page := _text(data.get("text/html") or data.get("html")):
            parts.append(_html_text(page))
        else:
            parts.append(_text(output.get("text")) or _text(data.get("text/plain")))
    return "\n".join(parts)


def _objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; empty for anything else."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "".join(map(str, value))
    return value if isinstance(value, str) else ""


def _html_text(page: str) -> str:
    """Text of a page; each row of a table is a line of cells between bars."""
    page = re.sub(r"(?s)<(style|script).*?</\1>", "", page)
    page = re.sub(r"\s*\n\s*", " ", page) if "<tr" in page else page
    page = re.sub(r"\s*</t[hd]>\s*", " | ", page)
    page = re.sub(r"<tr[^>]*>\s*", "\n| ", page)
    page = re.sub(r"<br\s*/?>|</p>|</div>|</table>|</thead>", "\n", page)
    return html.unescape(re.sub(r"<[^>]+>", "", page))
