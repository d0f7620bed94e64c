"""CSV and other tables as rows, and what a row of named cells says: wide, or one measurement a row."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from ganglion.doctor.numbers import read_number
from ganglion.doctor.readers.columns import Place, Rows
from ganglion.doctor.readers.decode import Line
from ganglion.doctor.readers.names import COUNTER_KINDS, named
from ganglion.doctor.readers.skeleton import BEYOND, NUMBER, cleaned, number

__all__ = ["add_cells", "looks_like_table", "read_table"]


SEPARATORS = ",;\t|"
NAME_CELLS = {
    "metric",
    "tag",
    "key",
    "name",
    "metricname",
    "metric_name",
    "variable",
    "series",
    "scalar",
    "metric name",
}
VALUE_CELLS = {"value", "metricvalue", "metric_value", "val", "metric value", "scalar_value"}
SNAPSHOT = re.compile(r"(\d{4,})\.(?:pkl|pt)$")
FIRST_ROWS = 200


def looks_like_table(first: Sequence[str]) -> bool:
    """Whether a file without the ending of a table is one: a line of names, and lines of as many numbers."""
    lines = [line for line in first if line.strip() and not line.startswith("#")][:12]
    if len(lines) < 2:
        return False
    separator = max(SEPARATORS, key=lines[0].count)
    wide = lines[0].count(separator)
    cells = [cell.strip() for cell in lines[0].split(separator)]
    if not wide or any(map(_numeric, cells)) or sum(map(bool, cells)) < 2 or any(len(cell) > 60 for cell in cells):
        return False
    rows = [line.split(separator) for line in lines[1:]]
    fitting = [
        row for row in rows if len(row) == wide + 1 and any(map(_numeric, row)) and not re.search(r"[:=]\s", row[0])
    ]
    return separator != "|" and len(fitting) >= 0.7 * len(rows)


def read_table(lines: Iterable[Line], rows: Rows) -> Rows:
    """All rows of a table with a head; without one, columns are called by their numbers."""
    rest = iter(lines)
    first = list(islice(rest, FIRST_ROWS))
    separator = _separator([line.text for line in first])
    cells, bad = _cells(chain(first, rest), separator, rows), 0
    first_cells = list(islice(cells, FIRST_ROWS))
    commas = _decimal_commas(first_cells)
    head: list[str] = []
    for line, row in chain(first_cells, cells):
        if not any(row):
            continue
        if not head:
            if len(row) == 1 and len(first_cells) > 1 and not _numeric(row[0], commas) and _wider(first_cells):
                continue  # a title above the table
            head, is_head = _head(row, commas)
            if is_head:
                continue
        if _is_head(row, commas):
            head = [name.strip() for name in row]
            continue
        bad += len(row) > len(head)
        add_cells(rows, zip(head, (_point(cell, commas) for cell in row), strict=False), line)
    if bad:
        rows.notes.append(
            f"{bad:,} {'row has' if bad == 1 else 'rows have'} more cells than the head has names; these were left out"
        )
    return rows


def _separator(texts: Sequence[str]) -> str:
    """What parts the cells of most lines; `sep=;` is a line of some spreadsheets."""
    if texts and (match := re.match(r'"?sep=(.)', texts[0])):
        return match[1]
    lines = [text for text in texts[:30] if text.strip() and not text.startswith("#")] or [""]
    head = max(lines[:5], key=lambda line: max(map(line.count, SEPARATORS)))
    plain = re.sub(r'"[^"]*"', "", head)
    best = max(";\t|,", key=lambda mark: (plain.count(mark), -SEPARATORS.index(mark)))
    return best if plain.count(best) else ("," if '"' in head or "," in head else " ")


def _cells(lines: Iterable[Line], separator: str, rows: Rows) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells. A line that is no row, such as one with a cell of 200 kB, is left out and told."""
    number_now, complete, widest = 0, True, 0

    def texts() -> Iterator[str]:
        nonlocal number_now, complete
        for line in lines:
            number_now = rows.lines = line.number
            complete = line.complete
            if line.text.strip() and not line.text.lstrip().startswith("#") and not re.match(r'"?sep=.', line.text):
                yield line.text if separator != " " else re.sub(r"\s+", " ", line.text.strip())
            elif re.match(r"#\s*\w+(?:[,;\t ]\s*\w+)+\s*$", line.text.lstrip()) and number_now < 5:
                yield line.text.lstrip("# ")  # NumPy's savetxt writes its head as a comment

    reader = csv.reader(texts(), delimiter=separator, skipinitialspace=True)
    bad, decimals = 0, 99
    while True:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error:
            bad += 1
            continue
        row = [cell.strip() for cell in row]
        short = len(row[-1].partition(".")[2]) if row and row[-1] else 99
        if not complete and widest and (len(row) < widest or short < decimals < 99):
            rows.notes.append("the last row is cut off and was left out")
            continue
        widest, decimals = max(widest, len(row)), min(decimals, short) if number_now > 1 else decimals
        yield number_now, row
    if bad:
        rows.notes.append(
            f"{bad:,} {'line is' if bad == 1 else 'lines are'} no row of a table (a cell is too long, or a quote is open)"
        )


def _wider(rows: Sequence[tuple[int, list[str]]]) -> bool:
    return sum(len(row) > 1 for _, row in rows) > len(rows) / 2


def _head(row: list[str], commas: bool) -> tuple[list[str], bool]:
    """Names of the columns, and whether the row is the head."""
    if any(_numeric(cell, commas) for cell in row):
        return [f"column {i}" for i in range(1, len(row) + 1)], False
    names = [
        "row" if not cell and i == 0 else cell for i, cell in enumerate(row)
    ]  # pandas leaves the index without a name
    return ["row" if name == "Unnamed: 0" else name for name in names], True


def _is_head(row: list[str], commas: bool) -> bool:
    """Whether a row in the middle is the head once more, as where a second run was appended."""
    words = [cell for cell in row if cell]
    return (
        len(words) > 1
        and not any(_numeric(cell, commas) for cell in words)
        and any(named(cell).kind in COUNTER_KINDS for cell in words)
        and any(named(cell).kind == "loss" or named(cell).player for cell in words)
    )


def _numeric(cell: str, commas: bool = False) -> bool:
    return _cell_number(_point(cell.strip(), commas)) is not None


def _decimal_commas(rows: Sequence[tuple[int, list[str]]]) -> bool:
    """Whether cells such as 0,53 mean 0.53."""
    cells = [cell for _, row in rows for cell in row if re.fullmatch(r"[-+]?[\d.]*\d,\d+(?:[eE][-+]?\d+)?", cell)]
    return any(not re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+", cell) for cell in cells)


def _point(cell: str, commas: bool) -> str:
    if commas and re.fullmatch(r"[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+(?:[eE][-+]?\d+)?%?", cell):
        return cell.replace(".", "").replace(",", ".")
    return cell


def _cell_number(cell: object) -> float | None:
    """The number in a cell, also where it is wrapped in `tensor(...)`, brackets or a unit."""
    if not isinstance(cell, str):
        found = read_number(cell)
        return BEYOND if isinstance(cell, int) and found in (math.inf, -math.inf) else found
    if not cell or len(cell) > 200:
        return None
    try:
        return (BEYOND if cell.lstrip("+-").isdigit() and len(cell) > 300 else float(cell)) if "_" not in cell else None
    except ValueError:
        pass
    match = re.fullmatch(rf"[\[(]*\s*({NUMBER.pattern})\s*[\])]*\s*(?:%|s|ms)?", cleaned(cell))
    return number(match[1]) if match else None


def add_cells(rows: Rows, items: Iterable[tuple[str, Any]], line: int) -> None:
    """One row of named cells.

    `metric, value` is a measurement by its name; a cell that says `D` or `generator` names the network of its row; the
    number in `network-snapshot-000200.pkl` is thousands of images.
    """
    cells = [(name, cell) for name, cell in items if isinstance(name, str) and name]
    by_name = {name.strip().lower(): cell for name, cell in cells}
    label = next((str(by_name[n]) for n in NAME_CELLS if isinstance(by_name.get(n), str)), "")
    value = next((n for n in VALUE_CELLS if n in by_name), "")
    heading = "" if label and value else _heading(cells)
    places: dict[Place, None] = {}
    values: list[float] = []
    for name, cell in cells:
        found = _cell_number(cell)
        if name == "snapshot_pkl" and isinstance(cell, str) and (match := SNAPSHOT.search(cell)):
            name, found = "kimg", float(match[1])
        if found is None:
            continue
        if label and name.strip().lower() == value:
            name = label
        place = Place(name, "" if named(name).kind in COUNTER_KINDS or name == "row" else heading)
        while place in places:
            place = place._replace(part=place.part + 1)
        places[place] = None
        values.append(found)
    rows.add([rows.column(place) for place in places], values, line, [value != value // 1 for value in values])


def _heading(cells: Sequence[tuple[str, Any]]) -> str:
    """A short word in a cell that says whose row it is, or that it is one of a validation."""
    for _, cell in cells:
        if (
            isinstance(cell, str)
            and 0 < len(cell) <= 24
            and _cell_number(cell) is None
            and re.fullmatch(r"[\w /-]+", cell)
        ):
            said = named(cell)
            if (said.player and not said.kind) or said.split:
                return cell
    return ""
