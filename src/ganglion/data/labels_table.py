"""The cells of a labels file, however it is written, and of files in several folders. What they mean, `columns.py` finds out.

The first line names the columns; one column names the files. CelebA's attribute file begins with a count.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ganglion.data.columns import examples
from ganglion.data.labels_file import LabelsFile

__all__ = ["Table", "table_of"]

DELIMITERS = (",", ";", "\t", "|")
SNIFFED_LINES = 50
SEPARATOR_LINE = re.compile("sep=(.)", re.IGNORECASE)  # with which Excel begins a file


@dataclass(frozen=True)
class Table:
    """The cells of a labels file."""

    columns: list[str]
    """A name for each; `column 2` where the file has none."""
    rows: list[list[str]]
    """Each as long as `columns`."""
    remarks: list[str]
    decimal_comma: bool = False
    """Whether 1,5 is a number."""
    titled: frozenset[int] = frozenset()
    """The columns that have a name of their own."""
    folders: tuple[tuple[str, int], ...] = ()
    """The rows in order: a folder, and how many are of its file, in which files may be named as seen from there."""


def table_of(file: LabelsFile) -> Table:
    """The cells of a labels file. Raises ValueError with the reason where it is no table, or where several files differ."""
    if not file.more:
        table = _table_in(file)
        return replace(table, folders=((file.folder, len(table.rows)),))
    tables = {part.name: _part(part) for part in (replace(file, name=file.key or "", more=()), *file.more)}
    (name, first), *others = tables.items()
    for other, table in others:
        if sorted(table.columns) != sorted(first.columns):
            alone = examples(sorted({*first.columns} ^ {*table.columns}))
            raise ValueError(
                f"{name} and {other} have other columns, only one of them has {alone}: name one file with data.labels"
            )
    return Table(
        first.columns,
        [row for table in tables.values() for row in _in_order(table, first.columns)],
        [remark for table in tables.values() for remark in table.remarks],
        all(table.decimal_comma for table in tables.values()),
        first.titled,
        tuple(folder for table in tables.values() for folder in table.folders),
    )


def _part(file: LabelsFile) -> Table:
    """One of several files. Raises ValueError that names it."""
    try:
        table = table_of(file)
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from None
    remarks = [remark if file.name in remark else f"{file.name}: {remark}" for remark in table.remarks]
    return replace(table, remarks=remarks)


def _in_order(table: Table, columns: Sequence[str]) -> list[list[str]]:
    """The rows, with their cells in the order of `columns`, which are the table's own."""
    places = [table.columns.index(name) for name in columns]
    return [[row[place] for place in places] for row in table.rows] if table.columns != columns else table.rows


def _table_in(file: LabelsFile) -> Table:
    text, remarks = _decoded(file)
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    asked = SEPARATOR_LINE.fullmatch(lines[0].strip()) if lines else None
    lines = lines[1:] if asked else lines
    if len(lines) < 2:
        raise ValueError("it has fewer than two lines")
    if lines[0].strip().isdecimal() and len(lines) > 2:
        names = lines[1].split()
        if (
            len(lines[2].split()) == len(names) + 1
        ):  # CelebA: a count, the names of the attributes, then file and values
            return _even(["file", *names], (line.split() for line in lines[2:]), remarks)
    delimiter = asked[1] if asked else _delimiter(lines)
    rows = csv.reader(lines, delimiter=delimiter) if delimiter else (line.split() for line in lines)
    try:
        head = [cell.strip() for cell in next(iter(rows))]
        if len(head) < 2:
            raise ValueError("it has a single column; one for the files and one for each label are expected")
        return _even(head, rows, remarks, delimiter == ";")
    except csv.Error as error:
        raise ValueError(f"it is no table ({error})") from None


def _decoded(file: LabelsFile) -> tuple[str, list[str]]:
    encodings = ("utf-16",) if file.content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252", "latin-1")
    for encoding in encodings:
        try:
            text = file.content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        note = f"{file.name} is not UTF-8 and was read as {encoding}"
        return text, [] if encoding in ("utf-8-sig", "utf-16") else [note]
    raise ValueError("it is not a text file")


def _delimiter(lines: Sequence[str]) -> str | None:
    """The one that divides most of the first lines into equally many columns, of several the most; None for white space."""
    found: list[tuple[int, int, str | None]] = []
    for delimiter in (*DELIMITERS, None):
        some = lines[:SNIFFED_LINES]
        split = csv.reader(some, delimiter=delimiter) if delimiter else (line.split() for line in some)
        try:
            (width, count), *_ = Counter(len(row) for row in split).most_common(1)
        except csv.Error:
            continue
        if width > 1:
            found.append((count, width if delimiter else 0, delimiter))  # white space comes last: it is in texts, too
    return max(found, key=lambda each: each[:2])[2] if found else ","


def _even(head: list[str], rows: Iterable[list[str]], remarks: list[str], decimal_comma: bool = False) -> Table:
    """The rows with equally many cells: empty ones are added, and those beyond the header's are dropped."""
    names: list[str] = []
    for number, name in enumerate(head, start=1):
        plain = name or f"column {number}"
        names.append(plain if plain not in names else f"{plain} ({number})")
    known: dict[str, str] = {}  # equal cells are one text: a file of 8 million cells has few different ones
    kept, other = [], []
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            other.append(number)
            row = (row + [""] * len(names))[: len(names)]
        kept.append([known.setdefault(cell, cell) for cell in row])
    if other:
        where = ", ".join(f"{number}" for number in other[:3])
        remarks = [
            *remarks,
            f"rows that do not have {len(names)} cells as the header has: {len(other):,} (row {where})",
        ]
    return Table(names, kept, remarks, decimal_comma, frozenset(place for place, name in enumerate(head) if name))
