"""The labels file of a folder or zip: which file it is, and its cells. What the cells mean, `columns.py` finds out.

The first line names the columns; one column names the files. CelebA's attribute file begins with a count.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganglion.data.columns import examples
from ganglion.data.file_names import is_litter
from ganglion.data.sources import Entry, FolderSource, Source, ZipSource
from ganglion.errors import DataError

__all__ = ["AUTO", "FOLDERS", "LabelsFile", "Table", "find_labels_file", "table_of"]

FORMAT = 1  # of what is made of a labels file; a new one packs the images again

AUTO, FOLDERS = "auto", "folders"
CELEBA = ("list_attr_celeba.txt", "list_attr_celeba.csv")
NAMES = ("labels.csv", "labels.tsv", "labels.txt", "metadata.csv", *CELEBA)
"""In this order. metadata.csv is that of Hugging Face's image folders."""
DELIMITERS = (",", ";", "\t", "|")
SNIFFED_LINES = 50
SEPARATOR_LINE = re.compile("sep=(.)", re.IGNORECASE)  # with which Excel begins a file


@dataclass(frozen=True)
class LabelsFile:
    """A file of labels, not yet parsed."""

    name: str
    """As in messages."""
    content: bytes
    key: str | None = None
    """Its entry's key in the source; None for a file outside it."""
    asked_for: bool = False
    """Whether the recipe names it; otherwise a file that cannot be used is left aside."""

    def digest(self, entries: Sequence[Entry]) -> str:
        """Of the labels that these entries get."""
        digest = hashlib.sha256(f"labels {FORMAT}".encode())
        digest.update(hashlib.sha256(self.content).digest())
        for entry in entries:
            digest.update(entry.key.encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()


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


def find_labels_file(source: Source, wanted: str = AUTO) -> LabelsFile | None:
    """The labels file of a source, None where there is none. `wanted`: auto, folders (none), or a file in or beside the source.

    Raises DataError where the file that is wanted is not there, or cannot be read.
    """
    if wanted == FOLDERS:
        return None
    asked = wanted != AUTO
    try:
        if isinstance(source, FolderSource | ZipSource):
            names = (wanted.replace("\\", "/"),) if asked else NAMES
            entry = _inside(source, names, asked)
            if entry is not None:
                return LabelsFile(entry.key, source.read(entry), entry.key, asked)
        outside = Path(wanted) if asked else _beside(source)
        if outside is not None and outside.is_file():
            return LabelsFile(str(outside), outside.read_bytes(), asked_for=asked)
    except (OSError, ValueError) as error:
        raise DataError(f"the labels file of {source.description} cannot be read: {error}") from None
    if asked:
        raise DataError(
            f"data.labels is {wanted!r}, and neither {source.description} nor the working directory has such a file: name a "
            "file, or set it to auto or folders"
        )
    return None


def _inside(source: FolderSource | ZipSource, names: Sequence[str], asked: bool) -> Entry | None:
    """The first of these names in the folder itself, or in one of its folders where that is the only one of its name.

    Raises DataError where several have the name that is asked for.
    """
    entries = _shallow(source.root) if isinstance(source, FolderSource) else source.entries()
    for depth in (0, 1):
        for name in names:
            same = [
                entry for entry in entries
                if entry.key.count("/") == depth and entry.key.rpartition("/")[2].casefold() == name.casefold()
            ]  # fmt: skip
            if len(same) == 1:
                return same[0]
            if same and asked:
                raise DataError(
                    f"data.labels is {name!r}, and {source.description} has {len(same)} of that name "
                    f"({examples([entry.key for entry in same])}): name one with its folder"
                )
    exact = next((name for name in names if "/" in name), None)
    if isinstance(source, FolderSource) and exact and not Path(exact).is_absolute() and (source.root / exact).is_file():
        return Entry(exact, exact)  # deeper
    return next((entry for entry in entries if entry.key == exact), None)


def _shallow(root: Path) -> list[Entry]:
    """The files of a folder and of its folders; without hidden ones, and without those of a folder that may not be read."""
    here = _children(root)
    below = [path for folder in here if folder.is_dir() for path in _children(folder)]
    keys = [path.relative_to(root).as_posix() for path in here + below if path.is_file()]
    return [Entry(key, key) for key in keys]


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not is_litter(path.name))
    except OSError:
        return []


def _beside(source: Source) -> Path | None:
    """CelebA's attribute file next to the zip of its images, as it is distributed."""
    if not isinstance(source, ZipSource):
        return None
    return next((path for name in CELEBA if (path := source.path.with_name(name)).is_file()), None)


def table_of(file: LabelsFile) -> Table:
    """The cells of a labels file. Raises ValueError with the reason where it is no table."""
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
            return _table(["file", *names], (line.split() for line in lines[2:]), remarks)
    delimiter = asked[1] if asked else _delimiter(lines)
    rows = csv.reader(lines, delimiter=delimiter) if delimiter else (line.split() for line in lines)
    try:
        head = [cell.strip() for cell in next(iter(rows))]
        if len(head) < 2:
            raise ValueError("it has a single column; one for the files and one for each label are expected")
        return _table(head, rows, remarks, delimiter == ";")
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


def _table(head: list[str], rows: Iterable[list[str]], remarks: list[str], decimal_comma: bool = False) -> Table:
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
