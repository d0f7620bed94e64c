"""Which reader a file, a folder or standard input needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from ganglion.doctor.readers.columns import Place, Rows
from ganglion.doctor.readers.decode import Line, lines_of, opened
from ganglion.doctor.readers.events import event_folders, read_events
from ganglion.doctor.readers.meaning import SCORES
from ganglion.doctor.readers.names import COUNTER_KINDS, named
from ganglion.doctor.readers.objects import add_tree, notebook_text, read_json, read_objects, trees_of
from ganglion.doctor.readers.tables import looks_like_table, read_table
from ganglion.doctor.readers.text_lines import POSITION, read_text
from ganglion.errors import DataError
from ganglion.vitals.records import parsed

__all__ = ["read_file", "read_folder"]


LARGEST_DOCUMENT = 2**28
"""Characters of a JSON document that is not one object a line: it has to be held as a whole."""
FIRST = 60
MOST_FILES = 200
FEW = 2
"""A log of so few measurements is one of several that belong together."""
MLFLOW = re.compile(r"\d{10,} \S+ \d+")


def read_file(path: Path | None, run: int | None = None, growing: bool = False) -> Rows:
    """Rows of a file; of standard input for None. Of a growing file an unfinished last line is not read.

    Raises DataError where it cannot be read, or is no text.
    """
    name = "standard input" if path is None else str(path)
    if path is not None and "tfevents" in path.name:
        return read_events(path, Rows(name=path.name), run)
    rows = Rows(name="" if path is None else path.name)
    with opened(path) as stream:
        size = _size(path)
        lines = (line for line in lines_of(stream, name, size, rows.notes) if line.complete or not growing)
        first = list(islice(lines, FIRST))
        reader = _reader(rows, path, [line.text for line in first])
        reader(chain(first, lines), rows)
    _named_by_file(rows)
    return rows


def _size(path: Path | None) -> int:
    """Bytes of text, guessed for an archive."""
    if path is None:
        return 0
    return path.stat().st_size * (8 if path.suffix in (".gz", ".bz2", ".xz") else 1)


def _reader(rows: Rows, path: Path | None, first: list[str]) -> Callable[..., object]:
    """The reader for a file, by its ending and its first lines."""
    name = "" if path is None else re.sub(r"\.(gz|bz2|xz)$", "", path.name.lower())
    filled = [text.strip() for text in first if text.strip()]
    start = filled[0] if filled else ""
    if name.endswith((".jsonl", ".ndjson")) and (
        start.startswith("{") or any(parsed(text) is not None for text in filled)
    ):
        rows.kind = "JSON lines"
        return read_objects
    if start.startswith(("{", "[")):
        objects = [text for text in filled[:20] if parsed(text.rstrip(",")) is not None]
        if len(objects) >= max(1, 0.5 * len(filled[:20])) and not name.endswith(".ipynb"):
            rows.kind = "JSON lines" if len(filled) > 1 else "JSON"
            return read_objects if len(filled) > 1 else _document
        if name.endswith((".json", ".ipynb", ".jsonl", ".ndjson")) or _is_document(filled):
            rows.kind = "a notebook" if name.endswith(".ipynb") else "JSON"
            return _document
    if name.endswith((".csv", ".tsv")) or looks_like_table(first):
        rows.kind = "a table"
        return read_table
    if filled and all(MLFLOW.fullmatch(text) for text in filled):
        rows.kind = "a metric of MLflow"
        return _mlflow
    rows.kind = "console output"
    return read_text


NUMBERS_ONLY = re.compile(r"\[[\d\s,.eE+\-\[\]naNIifty]*")


def _is_document(filled: list[str]) -> bool:
    """Whether lines are the beginning of a JSON document without a telling ending."""
    text = "".join(filled)
    return bool(
        re.match(r'\{\s*"[^"]*"\s*:|\[\s*[\[{]\s*[{\["\d-]', text) or all(map(NUMBERS_ONLY.fullmatch, filled[:3]))
    )


def _document(lines: Iterable[Line], rows: Rows) -> Rows:
    """A JSON document or a notebook; what is neither is read as text."""
    kept: list[Line] = []
    size = 0
    for line in lines:
        kept.append(line)
        size += len(line.text)
        if size > LARGEST_DOCUMENT:
            raise DataError(
                f"{rows.name} is a JSON document of more than {LARGEST_DOCUMENT >> 20} MiB: write one object a line (JSONL), "
                "or give a part of it"
            )
    rows.lines = len(kept)
    whole = "\n".join(line.text for line in kept)
    trees, _ = trees_of(whole)
    if len(trees) == 1 and isinstance(trees[0], dict) and ("nbformat" in trees[0] or "cells" in trees[0]):
        rows.kind = "a notebook"
        printed = notebook_text(trees[0]).splitlines()
        return read_text((Line(i, line) for i, line in enumerate(printed, start=1)), rows)
    rows.lines = 0
    if kept and not any(isinstance(tree, dict | list) for tree in trees):
        rows.kind = "console output"
        return read_text(kept, rows)
    if len(trees) == 1:
        add_tree(trees[0], rows)
        return rows
    return read_json(whole, rows)


def _mlflow(lines: Iterable[Line], rows: Rows) -> Rows:
    """`time value step` a line; the file's name is the metric's."""
    for line in lines:
        cells = line.text.split()
        if len(cells) == 3:
            try:
                rows.add_named([("step", float(cells[2])), (rows.name, float(cells[1]))], line.number)
            except ValueError:
                continue
            rows.lines = line.number
    return rows


def _named_by_file(rows: Rows) -> None:
    """Gives the only measurement of a file the file's name, where it has none itself: `Value` in `tag-Loss_D.csv`."""
    names = [named(c.place.name, c.place.context) for c in rows.columns]
    if any(name.player or name.kind in ("loss", "fid") for name in names):
        return
    stem = re.sub(r"^.*tag[-_]", "", re.sub(r"(\.\w{1,5})+$", "", rows.name))
    said = named(stem)
    open_columns = [i for i, column in enumerate(rows.columns) if _has_no_name(column.place)]
    if not (said.player or said.side or said.kind == "fid") or not 1 <= len(open_columns) <= 2:
        return
    rows.rename(open_columns[-1], Place(stem))
    if len(open_columns) > 1:
        rows.rename(open_columns[-2], Place("step"))
    elif len(rows.columns) == 1:
        rows.number_rows(POSITION)


def _has_no_name(place: Place) -> bool:
    return not place.total and (
        not place.name or place.name.lower() in ("value", "val") or place.name.startswith("column ")
    )


OWN = ("vitals.jsonl", "stats.jsonl")
ENDINGS = (".jsonl", ".json", ".csv", ".tsv", ".log", ".txt", ".out", ".gz", ".ipynb", ".ndjson")
PREFERRED = {
    ".jsonl": 0,
    ".ndjson": 0,
    ".csv": 2,
    ".tsv": 2,
    ".json": 3,
    ".log": 4,
    ".out": 4,
    ".gz": 5,
    ".txt": 5,
    ".ipynb": 6,
}


class _Found(NamedTuple):
    """A log in a folder."""

    rows: Rows
    keys: dict[str, int]
    """What it holds of a GAN: columns by our keys."""
    path: Path

    @property
    def rank(self) -> tuple[int, int, str]:
        """Logs of both losses first, and those of other measurements; then the formats that lose least."""
        losses = sum(any(key.startswith(f"loss_{who}") for key in self.keys) for who in "dg")
        own = -1 if self.path.name in OWN else PREFERRED.get(self.path.suffix.lower(), 1)
        return (-10 * losses - min(len(self.keys), 9), own, str(self.path))


def read_folder(folder: Path, run: int | None, keys_of: Callable[[Rows], dict[str, int]]) -> Rows:
    """Rows of the best log in a folder, with what it lacks from the others, such as FID. `keys_of` says what rows hold.

    Raises DataError where there is none.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix.lower() in ENDINGS][
        :MOST_FILES
    ]
    candidates: list[tuple[Path, Callable[[], Rows | None]]] = [(path, partial(_readable, path)) for path in files]
    candidates.append((folder / "metrics", lambda: _mlflow_metrics(folder)))
    problem: DataError | None = None
    if event_folders(folder):
        try:
            events = read_events(folder, Rows(name=folder.name), run)
            candidates.insert(len(files), (folder, lambda: events))
        except DataError as error:  # other files may be readable, or have that run
            problem = error
    found = [
        _Found(rows, keys, path)
        for path, read in candidates
        if (rows := read()) is not None and (keys := keys_of(rows))
    ]
    if not found:
        raise problem or DataError(
            f"{folder} holds no log of a GAN's training that could be read: expected vitals.jsonl, stats.jsonl, TensorBoard "
            "events, CSV, JSON or console output (docs/diagnose.md lists the formats)"
        )
    return _together(folder, sorted(found, key=lambda one: one.rank))


def _readable(path: Path) -> Rows | None:
    try:
        return read_file(path)
    except DataError:
        return None


def _together(folder: Path, found: list[_Found]) -> Rows:
    """The first rows; the others add the measurements that these lack, with their counters."""
    best, keys = found[0].rows, set(found[0].keys)
    best.kind = f"{best.kind} ({found[0].path.relative_to(folder) if found[0].path != folder else 'the folder'})"
    added, left = [], []
    for one in found[1:]:
        near = one.path.parent == found[0].path.parent or found[0].path == folder
        new = {i for key, i in one.keys.items() if near and key not in keys and (key in SCORES or len(one.keys) <= FEW)}
        if not new:
            left.append(one.path.name)
            continue
        counters = {i for i, c in enumerate(one.rows.columns) if not _measures(c.place)}
        best.extend(one.rows, only=new | counters)
        keys |= one.keys.keys()
        added.append(one.path.name)
    if added:
        best.notes.append(
            f"joined with {', '.join(added[:8])}" + (f" and {len(added) - 8} more" if len(added) > 8 else "")
        )
    if left:
        best.notes.append(
            f"other logs in the folder were not used: {', '.join(left[:8])}" + (" and more" if len(left) > 8 else "")
        )
    return best


def _measures(place: Place) -> bool:
    return place != POSITION and place.name != "row" and named(place.name).kind not in COUNTER_KINDS


def _mlflow_metrics(folder: Path) -> Rows | None:
    """MLflow's folder of one file a metric."""
    homes = sorted(
        {p.parent for p in folder.rglob("metrics/*") if p.is_file() and p.suffix == ""}
        | ({folder} if folder.name == "metrics" else set())
    )
    if not homes:
        return None
    home = max(homes, key=lambda p: p.stat().st_mtime)
    rows = Rows(name=home.name, kind="metrics of MLflow")
    for path in sorted(p for p in home.rglob("*") if p.is_file()):
        part = Rows(name=path.relative_to(home).as_posix())
        with opened(path) as stream:
            _mlflow(lines_of(stream, str(path), _size(path), rows.notes), part)
        rows.extend(part)
    return rows if len(rows) else None
