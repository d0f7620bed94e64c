"""Which reader a file, a folder or standard input needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path

from ganglion.doctor.readers.columns import Place, Rows
from ganglion.doctor.readers.decode import Line, lines_of, opened
from ganglion.doctor.readers.events import event_folders, read_events
from ganglion.doctor.readers.names import named
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
    if start.startswith(("{", "[")):
        objects = [text for text in filled[:20] if parsed(text.rstrip(",")) is not None]
        if len(objects) >= max(1, 0.5 * len(filled[:20])) and not name.endswith(".ipynb"):
            rows.kind = "JSON lines" if len(filled) > 1 else "JSON"
            return read_objects if len(filled) > 1 else _document
        if name.endswith((".json", ".ipynb", ".jsonl", ".ndjson")) or _is_document(filled):
            rows.kind = "a notebook" if name.endswith(".ipynb") else "JSON"
            return _document
    if name.endswith((".jsonl", ".ndjson")) and any(parsed(text) is not None for text in filled):
        rows.kind = "JSON lines"
        return read_objects
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
    return bool(re.match(r'\{\s*"[^"]*"\s*:|\[\s*[\[{]\s*[{\["\d-]', text) or all(map(NUMBERS_ONLY.fullmatch, filled[:3])))


def _document(lines: object, rows: Rows) -> Rows:
    text: list[str] = []
    size = 0
    for line in lines:  # type: ignore[attr-defined]
        text.append(line.text)
        size += len(line.text)
        if size > LARGEST_DOCUMENT:
            raise DataError(
                f"{rows.name} is a JSON document of more than {LARGEST_DOCUMENT >> 20} MiB: write one object a line (JSONL), "
                "or give a part of it"
            )
    rows.lines = len(text)
    whole = "\n".join(text)
    trees, _ = trees_of(whole)
    if len(trees) == 1 and isinstance(trees[0], dict) and ("nbformat" in trees[0] or "cells" in trees[0]):
        rows.kind = "a notebook"
        printed = notebook_text(trees[0]).splitlines()
        return read_text((Line(i, line) for i, line in enumerate(printed, start=1)), rows)
    rows.lines = 0
    if text and not any(isinstance(tree, dict | list) for tree in trees):
        rows.kind = "console output"
        return read_text((Line(i, line) for i, line in enumerate(text, start=1)), rows)
    if len(trees) == 1:
        add_tree(trees[0], rows)
        return rows
    return read_json(whole, rows)


def _mlflow(lines: object, rows: Rows) -> Rows:
    """`time value step` a line; the file's name is the metric's."""
    for line in lines:  # type: ignore[attr-defined]
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
    said = [named(c.place.name, c.place.context) for c in rows.columns]
    if any(name.player or name.kind in ("loss", "fid") for name in said):
        return
    stem = re.sub(r"^.*tag[-_]", "", re.sub(r"(\.\w{1,5})+$", "", rows.name))
    if not (named(stem).player or named(stem).kind in ("loss", "fid", "score", "logit", "probability")):
        return
    open_columns = [i for i, column in enumerate(rows.columns) if _has_no_name(column.place)]
    if not open_columns:
        return
    rows.rename(open_columns[-1], Place(stem))
    if len(open_columns) > 1:
        rows.rename(open_columns[-2], Place("step"))
    elif len(rows.columns) == 1:
        rows.number_rows(POSITION)


def _has_no_name(place: Place) -> bool:
    return not place.total and (not place.name or place.name.lower() in ("value", "val") or place.name.startswith("column "))


OWN = ("vitals.jsonl", "stats.jsonl")
ENDINGS = (".jsonl", ".json", ".csv", ".tsv", ".log", ".txt", ".out", ".gz", ".ipynb", ".ndjson")
PREFERRED = {".jsonl": 0, ".ndjson": 0, ".csv": 2, ".tsv": 2, ".json": 3, ".log": 4, ".out": 4, ".gz": 5, ".txt": 5, ".ipynb": 6}


def read_folder(folder: Path, run: int | None, judge: Callable[[Rows], int]) -> Rows:
    """Rows of the best log in a folder, with scores such as FID from the others. `judge` says how much of a GAN rows hold.

    Raises DataError where there is none.
    """
    metrics = _mlflow_metrics(folder)
    if metrics:
        return metrics
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix.lower() in ENDINGS][:MOST_FILES]
    files.sort(key=lambda path: (path.name not in OWN, path.name.startswith("metric-"), len(path.parts)))
    found: list[tuple[tuple[int, int], Rows, Path]] = []
    if event_folders(folder):
        rows = read_events(folder, Rows(name=folder.name), run)
        found.append(((-judge(rows), 1), rows, folder))
    for path in files:
        try:
            rows = read_file(path)
        except DataError:
            continue
        if (worth := judge(rows)) > 0:
            rank = -1 if path.name in OWN else PREFERRED.get(path.suffix.lower(), 9)
            found.append(((-worth, rank), rows, path))
    if not found:
        raise DataError(
            f"{folder} holds no log of a GAN's training that could be read: expected vitals.jsonl, stats.jsonl, TensorBoard "
            "events, CSV, JSON or console output (docs/diagnose.md lists the formats)"
        )
    return _together(folder, found)


def _together(folder: Path, found: list[tuple[tuple[int, int], Rows, Path]]) -> Rows:
    """The best rows; the others add what these lack, if they were written by the same training."""
    found.sort(key=lambda one: (one[0], str(one[2])))
    _, best, path = found[0]
    single = [one for one in found if len(one[1].columns) <= 3 or one[2].name.startswith("metric-")]
    added = [one[2].name for one in found[1:] if one in single]
    for _, rows, other in found[1:]:
        if other.name in added:
            best.extend(rows)
    best.kind = f"{best.kind} ({path.relative_to(folder) if path != folder else 'the folder'})"
    if added:
        best.notes.append(f"joined with {', '.join(added[:8])}" + (f" and {len(added) - 8} more" if len(added) > 8 else ""))
    left = [one[2].relative_to(folder).as_posix() for one in found[1:] if one[2].name not in added and one[2] != folder]
    if left:
        best.notes.append(f"other logs in the folder were not used: {', '.join(left[:8])}")
    return best


def _mlflow_metrics(folder: Path) -> Rows | None:
    """MLflow's folder of one file a metric."""
    homes = sorted({p.parent for p in folder.rglob("metrics/*") if p.is_file() and p.suffix == ""} | ({folder} if folder.name == "metrics" else set()))
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
