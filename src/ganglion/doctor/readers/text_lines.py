"""Console output as rows: the numbers of each line by name, and tables that were printed."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from itertools import chain, islice

from ganglion.doctor.readers.columns import OF_SETTINGS, Place, Rows
from ganglion.doctor.readers.decode import Line
from ganglion.doctor.readers.names import named
from ganglion.doctor.readers.phrases import Slot, slots
from ganglion.doctor.readers.skeleton import FLOAT, INT, cleaned, comma_decimals, number, skeleton, with_points

__all__ = ["POSITION", "TextLines", "read_text"]


LONGEST = 4000
"""Characters of a line that are read for names: the time for it is quadratic."""
POSITION = Place("position in its list")
"""The column that counts the numbers of a printed list."""
SCALES = {"k": 1e3, "K": 1e3, "M": 1e6}
FIRST_LINES = 300
MOST_SKELETONS = 20_000
LIST = re.compile(r"\[([^\[\]]{20,})\]")
LIST_NAME = re.compile(r"([\w ()/.-]*[\w)])['\"]?\s*[:=]\s*(?:\w+\()?$")
LONGEST_NAME, SHORTEST_LIST = 60, 8
RUNS = re.compile(r"([^\w\s.])\1{5,}|( ) {4,}")
SETTINGS = re.compile(
    r"\W*(?:Namespace|\w*[Cc]onfig\w*|[Aa]rg\w*|[Oo]ption\w*|[Hh]param\w*|[Pp]aram\w*|[Ss]etting\w*)\s*[:=]?\s*[({]"
)
"""`Namespace(batch_size=64, epochs=25)`."""
SETTING = re.compile(
    r"\b(gan_?(?:mode|type)|(?:adv|gan|adversarial)_?(?:loss|type|objective)|loss_?(?:type|fn|func)?|objective)\W{1,5}([a-z][\w-]+)",
    re.I,
)
FIRST_SETTINGS, MOST_SETTINGS = 1000, 50
RULE = re.compile(r"[\s|+=:─━┼╋┏┓┗┛┳┻┡┩╇└┘┌┐┬┴├┤╭╮╰╯╒╕╘╛╞╡╪╤╧-]*")
"""A rule of a table."""
NUMBER_CELL = re.compile(rf"(?:[{INT}{FLOAT}]|[-+]?(?:\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+|nan|inf))\s*%?", re.I)
NO_WORD = re.compile(rf"(?:[{INT}{FLOAT}\d:.,%+\-\s#]|e[-+]|days?|nan?|inf|none|n/a|[hms](?![a-z]))*", re.I)
"""A cell of a number, a time, or nothing."""
Plan = tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...], tuple[bool, ...]]
"""Of one skeleton: which numbers are kept, their columns, the factors of their units, and which are decimals."""


class TextLines:
    """Reads line by line into `rows`, so that a log can be followed."""

    def __init__(self, rows: Rows, decimal_commas: bool = False) -> None:
        self.rows, self._commas = rows, decimal_commas
        self._plans: dict[str, Plan | None] = {}
        self._decimals: dict[str, int] = {}
        self._heads: deque[list[str]] = deque(maxlen=8)

    def take(self, line: Line) -> None:
        """Adds the row of a line, or the rows of a list, if it holds numbers."""
        text = line.text
        self.rows.lines = max(self.rows.lines, line.number)
        if len(text) > 200 and self._lists(text, line.number):
            return
        text = cleaned(text[:LONGEST])
        if self._commas:
            text = with_points(text)
        if line.number < FIRST_SETTINGS and len(self.rows.settings) < MOST_SETTINGS:
            self.rows.settings += [f"{name} {value}" for name, value in SETTING.findall(text)]
        marked, numbers = skeleton(text)
        if not numbers:
            self._head(text)
            return
        marked = RUNS.sub(lambda match: (match[1] or match[2]) * 4, marked)
        if self._is_cut_off(line, marked, numbers[-1]):
            self.rows.notes.append("the last line is cut off and was left out")
            return
        if marked not in self._plans:
            if len(self._plans) > MOST_SKELETONS:
                self._plans.clear()
                self._decimals.clear()
            self._plans[marked] = self._plan(marked)
        plan = self._plans[marked]
        if plan is None:
            self._table_row(text, line.number)
            return
        kept, columns, scales, decimals = plan
        values = [number(numbers[i]) * scale for i, scale in zip(kept, scales, strict=True)]
        self.rows.add(columns, values, line.number, decimals)

    def _is_cut_off(self, line: Line, marked: str, last: str) -> bool:
        """Whether a line without its break is the beginning of one as seen before, or ends in a number with fewer digits."""
        decimals = len(last.partition(".")[2]) if marked[-1:] in (INT, FLOAT) else -1
        if line.complete:
            self._decimals[marked] = min(decimals, self._decimals.get(marked, decimals))
            return False
        if decimals >= 0 and last.endswith("."):
            return True
        if marked in self._decimals:
            return decimals < self._decimals[marked]
        begun = marked[:-1] if marked[-1] in (INT, FLOAT) else marked
        return any(known.startswith(begun) for known in self._decimals)

    def _plan(self, marked: str) -> Plan | None:
        """None for a row of a table whose head was seen."""
        found = slots(marked)
        kept = [(i, slot) for i, slot in enumerate(found) if slot is not None]
        if len(found) > 1 and self._heads and self._row(marked) is not None:
            return None
        marks = [character for character in marked if character in (INT, FLOAT)]
        if SETTINGS.match(marked):
            kept = [(i, slot._replace(place=slot.place._replace(context=OF_SETTINGS))) for i, slot in kept]
        columns = tuple(self.rows.column(slot.place, slot.unit) for _, slot in kept)
        decimals = tuple(marks[i] == FLOAT for i, _ in kept)
        return tuple(i for i, _ in kept), columns, tuple(_scale(slot) for _, slot in kept), decimals

    def _row(self, text: str) -> list[tuple[str, str]] | None:
        """Names and cells of a row without names of its own, under the newest head that fits."""
        for names in reversed(self._heads):
            for how in ("|", "\t", ",", ";", "  ", " "):
                cells = _cells(text, how)
                if len(cells) < 2 or not all(map(NO_WORD.fullmatch, cells)):
                    continue
                numbers = [cell for cell in cells if NUMBER_CELL.fullmatch(cell)]
                if len(numbers) < min(2, len(names)):
                    continue
                if len(cells) == len(names):
                    return list(zip(names, cells, strict=True))
                if len(numbers) == len(names):
                    return list(zip(names, numbers, strict=True))
                if len(cells) == len(names) + 1 and how in (" ", "  "):  # pandas prints an index without a name
                    return list(zip(names, cells[1:], strict=True))
        return None

    def _head(self, text: str) -> None:
        """Remembers a line of words that may be the head of a table."""
        if RULE.fullmatch(text):
            return
        for how in ("|", "\t", ",", ";", "  ", " "):
            names = _cells(text, how)
            if 2 <= len(names) <= 200 and how in text:
                if sum(_means_something(name) for name in names) >= 1:
                    self._heads.append(names)
                if how != "  ":
                    return

    def _table_row(self, text: str, line: int) -> None:
        pairs = [(name, v) for name, cell in self._row(text) or [] if (v := _value(cell)) is not None]
        self.rows.add_named(pairs, line)

    def _lists(self, text: str, line: int) -> bool:
        """Rows of the lists in a line, such as `d_losses = [0.7, 0.6, ...]`, each with its position."""
        found = False
        for match in LIST.finditer(text):
            name = LIST_NAME.search(text[max(0, match.start() - LONGEST_NAME) : match.start()])
            if name is None or not _means_something(name[1]):
                continue
            values = [v for cell in match[1].split(",") if (v := _value(cell.strip())) is not None]
            if len(values) < SHORTEST_LIST:
                continue
            found = True
            columns = (self.rows.column(POSITION), self.rows.column(Place(name[1].strip(" ,;{'\""))))
            for i, value in enumerate(values, start=1):
                self.rows.add(columns, (i, value), line, (False, True))
        return found


def read_text(lines: Iterable[Line], rows: Rows) -> Rows:
    """All rows of a text."""
    rest = iter(lines)
    first = list(islice(rest, FIRST_LINES))
    reader = TextLines(rows, comma_decimals([line.text[:LONGEST] for line in first]))
    for line in chain(first, rest):
        reader.take(line)
    return rows


def _scale(slot: Slot) -> float:
    return SCALES.get(slot.unit, 1.0)


def _means_something(name: str) -> bool:
    said = named(name.strip("'\" "))
    return bool(said.kind or said.player or said.term)


def _cells(text: str, how: str) -> list[str]:
    """Cells of a row; `how` is what parts them."""
    if how == "|":
        parts = text.strip().strip("|").split("|") if "|" in text else []
    elif how == "  ":
        parts = re.split(r"\s{2,}|\t", text.strip())
    elif how == " ":
        parts = text.split()
    else:
        parts = text.strip("\n").split(how) if how in text else []
    return [part.strip().strip("'\"") for part in parts]


def _value(cell: str) -> float | None:
    """The number in a cell; None where there is another thing, such as a time."""
    if len(cell) > LONGEST_NAME:
        return None
    match = re.fullmatch(
        r"([-+]?(?:\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf(?:inity)?))\s*%?", cell, re.I
    )
    return number(match[1]) if match else None
