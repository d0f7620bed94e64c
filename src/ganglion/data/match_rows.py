"""Which row of a labels file belongs to which image: by path, by name, or by name without its suffix.

A file may come from another computer: folders before the name may differ, and be separated by backslashes.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ganglion.data.columns import examples
from ganglion.data.labels_table import Table

__all__ = ["ImageNames", "Matched", "match_rows"]

TRIED_ROWS = 200  # from which the column that names the files is found


class ImageNames:
    """Paths of images, to be found by what a labels file calls them."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._exact = {key: place for place, key in enumerate(keys)}
        self._keys = [_parts(key) for key in keys]
        self._named, self._stems = dict[str, list[int]](), dict[str, list[int]]()
        for place, (*_, name) in enumerate(self._keys):
            self._named.setdefault(name, []).append(place)
            self._stems.setdefault(_stem(name), []).append(place)

    def in_full(self, text: str) -> bool:
        """Whether `text` is a name with its suffix."""
        return text in self._exact or (_parts(text) or [""])[-1] in self._named

    def find(self, text: str) -> list[int]:
        """Places of the images that `text` can mean: none, one, or several where it is ambiguous."""
        if text in self._exact:
            return [self._exact[text]]
        parts = _parts(text)
        if not parts or not parts[-1]:
            return []
        name = parts[-1]
        called = self._named.get(name) or self._stems.get(name) or self._stems.get(_stem(name)) or []
        if len(called) < 2:
            return called
        agreeing = [(_common(self._keys[place][:-1], parts[:-1]), place) for place in called]
        most = max(common for common, _ in agreeing)
        best = [place for common, place in agreeing if common == most]
        return best if len(best) == 1 else called

    def seen_from(self, folder: str, text: str) -> str:
        """The path of what a file in `folder` calls `text`, where that is one image; otherwise `text` as it is."""
        path = f"{folder}/{text.strip()}"
        return path if folder and len(self.find(path)) == 1 else text

    def agreement(self, text: str, place: int) -> tuple[float, tuple[str, ...]]:
        """How many folders `text` has in common with the image there, infinitely many where it is its path; its folders."""
        folders = tuple(_parts(text)[:-1])
        return math.inf if text in self._exact else _common(self._keys[place][:-1], folders), folders


def _parts(path: str) -> list[str]:
    """The folders and the name, in small letters; an accented letter is one character, which in names from a Mac it is not."""
    plain = unicodedata.normalize("NFC", path.strip().replace("\\", "/").casefold())
    return [part for part in plain.split("/") if part != "."]


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """How many of the last folders of two paths agree."""
    count = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one != other:
            break
        count += 1
    return count


class Matched(NamedTuple):
    """A labels file's rows by image."""

    columns: list[str]
    """Without the one that names the files."""
    cells: list[list[str] | None]
    """Of each image; None for an image without a row."""
    remarks: list[str]


def match_rows(table: Table, keys: Sequence[str], name: str) -> Matched:
    """The rows that belong to the images of these paths. Raises ValueError where fewer than half of the images have one."""
    names = ImageNames(keys)
    column = _column_of_files(table, names)
    rows, remarks = table.rows, list(table.remarks)
    columns = [title for place, title in enumerate(table.columns) if place != column]
    if _is_row(table, column, names):  # there is no header
        rows = [table.columns, *rows]
        columns = [f"column {place + 1}" for place in range(len(table.columns)) if place != column]
        remarks.append(f"{name} has no header line; its columns are called {examples(columns)}")
    cells: list[list[str] | None] = [None] * len(keys)
    unknown, ambiguous, twice = list[str](), list[str](), list[str]()
    texts = [names.seen_from(folder, row[column]) for folder, row in zip(_folders_of(table, rows), rows, strict=True)]
    for row, found in zip(rows, _meant(texts, names), strict=True):
        text = row[column].strip()
        if len(found) != 1:
            (ambiguous if found else unknown).append(text or "an empty name")
        elif cells[found[0]] is not None:
            twice.append(text)
        else:
            cells[found[0]] = [cell for place, cell in enumerate(row) if place != column]
    without = [key for key, cell in zip(keys, cells, strict=True) if cell is None]
    if 2 * len(without) > len(keys):
        raise ValueError(_refused(name, without, keys, unknown))
    for many, what in (
        (unknown, "rows of {} whose image is not here"),
        (ambiguous, "rows of {} that can mean several images and are not used"),
        (twice, "rows of {} that repeat an image, whose first row is used"), (without, "images without a row in {}"),
    ):  # fmt: skip
        if many:
            remarks.append(f"{what.format(name)}: {len(many):,} ({examples(many)})")
    return Matched(columns, cells, remarks)


def _folders_of(table: Table, rows: Sequence[list[str]]) -> list[str]:
    """The folder of each row's file; a header line that is a row is of the first file."""
    folders = [folder for folder, many in table.folders or (("", len(rows)),) for _ in range(many)]
    return folders[:1] * (len(rows) - len(folders)) + folders


def _meant(texts: Sequence[str], names: ImageNames) -> Iterator[list[int]]:
    """Places of the images that each text can mean: none, one, or several where it is ambiguous.

    Of texts that mean one image, those count whose folders agree with the image's most; the others are of images that are not
    here. Where texts of different folders agree equally, all are ambiguous.
    """
    found = [(names.find(text), text) for text in texts]
    best: dict[int, tuple[float, set[tuple[str, ...]]]] = {}
    for places, text in found:
        for place in places if len(places) == 1 else ():
            agreement, folders = names.agreement(text, place)
            most, those = best.get(place, (-1.0, set()))
            if agreement >= most:
                best[place] = agreement, {folders, *(those if agreement == most else ())}
    for places, text in found:
        if len(places) != 1:
            yield places
            continue
        most, those = best[places[0]]
        yield [] if names.agreement(text, places[0])[0] < most else places * len(those)


def _refused(name: str, without: Sequence[str], keys: Sequence[str], unknown: Sequence[str]) -> str:
    said = f"{len(without):,} of {len(keys):,} images have no row in it ({examples(without)})"
    return f"{said}; it has {len(unknown):,} rows of other names ({examples(unknown)})" if unknown else said


def _is_row(table: Table, column: int, names: ImageNames) -> bool:
    """Whether the first line is about an image, and no title: `image` is one where a row for image.png is below."""
    found = names.find(table.columns[column])
    return bool(found) and not any(names.find(row[column]) == found for row in table.rows)


def _column_of_files(table: Table, names: ImageNames) -> int:
    """The column that names the most different images, with their suffix if it can be; of equals one with a title.

    Classes of images called `3.png` do not name many, and a table's index, 0, 1, 2, ..., has neither suffix nor title.
    """
    some = table.rows[:: max(1, len(table.rows) // TRIED_ROWS)]

    def rank(column: int) -> tuple[int, int, bool]:
        texts = {row[column] for row in some}
        full = {tuple(names.find(text)) for text in texts if names.in_full(text)}
        return len(full), len({tuple(names.find(text)) for text in texts} - {()}), column in table.titled

    return max(range(len(table.columns)), key=rank)
