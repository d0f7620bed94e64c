"""What a log said, before anyone asks what it means: columns of numbers, and rows that hold some of them."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ganglion.doctor.readers.names import COUNTER_KINDS, named, words_of

__all__ = ["OF_SETTINGS", "Column", "Place", "Rows"]


OF_SETTINGS = "(settings)"
"""The heading of numbers that a program prints of its settings."""
MOST_ROWS = 250_000
FEW_ALIKE = 5_000


class Place(NamedTuple):
    """Where numbers of one kind stand in a line or an object."""

    name: str
    """As printed; empty for a number without a name."""
    context: str = ""
    """A heading that the name stands under: `D` in `D: loss 0.5`."""
    part: int = 0
    """0 for the first value of a name, 1 for the second; numbers without a name are counted from the left."""
    total: bool = False
    """Whether it is the 500 of `40/500`."""

    @property
    def label(self) -> str:
        """For people."""
        if not self.name:
            return f"number {self.part + 1} of the line" + (" after the slash" if self.total else "")
        name = f"{self.context} {self.name}" if self.context else self.name
        name = f"{name} (after the slash)" if self.total else name
        return name if self.part == 0 else f"{name} (value {self.part + 1})"


@dataclass
class Column:
    """All numbers of one place."""

    place: Place
    first_row: int
    unit: str = ""
    """`%`, `s`, `k` and the like, as printed after the number."""
    count: int = 0
    decimals: bool = False
    """Whether one of them was printed with a decimal point or an exponent."""


@dataclass
class Rows:
    """Rows in reading order, in flat arrays: a row is a line number, columns and their values."""

    columns: list[Column] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Sentences about what was left out while reading."""
    settings: list[str] = field(default_factory=list)
    """What the log says of the objective and the like, as `gan_mode lsgan`."""
    kind: str = "text"
    """Of which format the file was, in words."""
    lines: int = 0
    breaks: set[int] = field(default_factory=set)
    """Rows with which another file begins."""
    name: str = ""
    """Of the file, which may name the only number in it."""

    def __post_init__(self) -> None:
        self._numbers: dict[Place, int] = {}
        self._every = 1
        self._alike: Counter[tuple[int, ...]] = Counter()
        self._clear()

    def _clear(self) -> None:
        self._starts, self._lines = array("q"), array("q")
        self._columns, self._values = array("i"), array("d")

    def __len__(self) -> int:
        return len(self._starts)

    def column(self, place: Place, unit: str = "") -> int:
        """The number of the place's column, which is added where there is none."""
        alike = _alike(place)
        number = self._numbers.get(alike)
        if number is None:
            number = self._numbers[alike] = len(self.columns)
            self.columns.append(Column(place, len(self), unit))
        return number

    def add(self, columns: Sequence[int], values: Sequence[float], line: int, decimals: Sequence[bool] = ()) -> None:
        """One row. `line` is its line in the file, from 1."""
        if not columns:
            return
        if len(self) >= MOST_ROWS:
            self._thin()
        if self._every > 1:
            kind = tuple(columns)
            self._alike[kind] += 1
            if self._alike[kind] > FEW_ALIKE and self._alike[kind] % self._every:
                return
        self._starts.append(len(self._values))
        self._lines.append(line)
        self._columns.extend(columns)
        self._values.extend(values)
        for number in columns:
            self.columns[number].count += 1
        for number, decimal in zip(columns, decimals, strict=False):
            if decimal:
                self.columns[number].decimals = True

    def _thin(self) -> None:
        """Drops every second row of those that many others are like, now and from now on: memory does not grow with the log."""
        rows = list(self)
        self._every *= 2
        self._alike = Counter(tuple(columns) for _, columns, _ in rows)
        seen: Counter[tuple[int, ...]] = Counter()
        self._clear()
        for line, columns, values in rows:
            kind = tuple(columns)
            seen[kind] += 1
            if self._alike[kind] < FEW_ALIKE or seen[kind] % 2:
                self._starts.append(len(self._values))
                self._lines.append(line)
                self._columns.extend(columns)
                self._values.extend(values)
        note = "of a log that long, only every second, fourth, ... line of a kind was kept"
        if note not in self.notes:
            self.notes.append(note)

    def add_named(self, pairs: Sequence[tuple[str, float]], line: int) -> None:
        """One row of names and values. A name that comes twice is two columns."""
        numbers: dict[int, None] = {}
        for name, _ in pairs:
            part = 0
            while (number := self.column(Place(name, "", part))) in numbers:
                part += 1
            numbers[number] = None
        self.add(
            list(numbers),
            [v for _, v in pairs],
            line,
            [v != v or v != int(v) if abs(v) < 1e300 else True for _, v in pairs],
        )

    def __iter__(self) -> Iterator[tuple[int, array[int], array[float]]]:
        """Line number, column numbers and values of each row."""
        for i, start in enumerate(self._starts):
            end = self._starts[i + 1] if i + 1 < len(self._starts) else len(self._values)
            yield self._lines[i], self._columns[start:end], self._values[start:end]

    def find(self, place: Place) -> int | None:
        """The number of the place's column, if there is one."""
        return self._numbers.get(_alike(place))

    def rename(self, column: int, place: Place) -> None:
        """Gives a column another name."""
        self._numbers.pop(_alike(self.columns[column].place), None)
        self.columns[column].place = place
        self._numbers[_alike(place)] = column

    def number_rows(self, place: Place) -> None:
        """Adds a column that counts the rows from 1, to rows of one column."""
        column = self.column(place)
        rows = [(line, list(columns), list(values)) for line, columns, values in self]
        self._clear()
        for i, (line, columns, values) in enumerate(rows, start=1):
            self.add([column, *columns], [float(i), *values], line)

    def values_of(self, column: int, most: int) -> list[float]:
        """The first values of a column."""
        return [v for n, v in zip(self._columns[: 50 * most], self._values[: 50 * most], strict=True) if n == column][
            :most
        ]

    def extend(self, other: Rows, only: Collection[int] | None = None) -> None:
        """Adds the other's rows behind these, names matched; `only` some of its columns."""
        same = {
            i: self.column(column.place, column.unit)
            for i, column in enumerate(other.columns)
            if only is None or i in only
        }
        for i, number in same.items():
            self.columns[number].decimals |= other.columns[i].decimals
        self.breaks.add(len(self))
        for line, columns, values in other:
            kept = [(same[i], value) for i, value in zip(columns, values, strict=True) if i in same]
            self.add([number for number, _ in kept], [value for _, value in kept], self.lines + line)
        self.lines += other.lines
        self.notes += [note for note in other.notes if note not in self.notes]


@lru_cache(maxsize=20_000)
def _alike(place: Place) -> Place:
    """The same for places of one counter that is written in several ways: `Step`, `steps`, `step `."""
    if named(place.name).kind not in COUNTER_KINDS or place.context == OF_SETTINGS:
        return place
    words = [word for word in words_of(place.name) if word not in ("progress", "trainer", "cur", "current")]
    return place._replace(name="".join(words).removesuffix("s"), context="")
