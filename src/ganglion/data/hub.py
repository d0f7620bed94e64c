"""Data sets by name from the Hugging Face Hub, local copies of them, and ones loaded in Python. Needs the extra `hub`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ganglion.data.sources import Entry, InThisProcess
from ganglion.errors import DataError

__all__ = ["NAMED", "HubSource", "RowsSource", "parse_hub_name"]

NAMED = {
    "mnist": "ylecun/mnist",
    "cifar10": "uoft-cs/cifar10",
    "celeba": "flwrlabs/celeba",
    "flowers102": "nelorth/oxford-flowers",
}
"""Short names, and the Hub's names for them."""


def parse_hub_name(name: str) -> tuple[str, str | None] | None:
    """(repository, column) of `mnist`, `hf:OWNER/NAME` or `hf:OWNER/NAME:column`; None for anything else."""
    if name in NAMED:
        return NAMED[name], None
    if match := re.fullmatch(r"hf:([\w.-]+/[\w.-]+)(?::([\w.-]+))?", name):
        return match[1], match[2]
    return None


@dataclass(frozen=True)
class HubSource:
    """`origin` is a repository's name, or a local folder with its files."""

    origin: str
    column: str | None = None

    @property
    def description(self) -> str:
        return f"Hugging Face data set {self.origin}"

    def fingerprint(self) -> str:
        rows = _load(self.origin)
        return f"hub {rows._fingerprint} {_image_column(rows, self.column, self.description)}"

    def entries(self) -> list[Entry]:
        return _entries(_load(self.origin))

    def read(self, entry: Entry) -> bytes:
        rows = _load(self.origin)
        return _encoded(rows, entry, _image_column(rows, self.column, self.description))


class RowsSource(InThisProcess):
    """A `datasets.Dataset` that was made or loaded in Python."""

    def __init__(self, rows: Any, description: str) -> None:
        self._rows, self.description = _left_encoded(rows.with_format(None)), description
        self._column = _image_column(self._rows, None, description, ": keep one of them with select_columns")

    def fingerprint(self) -> str:
        return f"hub {self._rows._fingerprint} {self._column}"

    def entries(self) -> list[Entry]:
        return _entries(self._rows)

    def read(self, entry: Entry) -> bytes:
        return _encoded(self._rows, entry, self._column)


def _entries(rows: Any) -> list[Entry]:
    column = next((name for name, kind in rows.features.items() if type(kind).__name__ == "ClassLabel"), None)
    if column is None:
        return [Entry(f"row {i}", i) for i in range(len(rows))]
    names = rows.features[column].names
    return [Entry(f"row {i}", i, None if k is None or k < 0 else names[k]) for i, k in enumerate(rows[column])]


def _encoded(rows: Any, entry: Entry, column: str) -> bytes:
    cell = rows[int(entry.locator)][column]
    if cell is None:
        raise ValueError("the row has no image")
    return bytes(cell["bytes"]) if cell["bytes"] is not None else Path(cell["path"]).read_bytes()


def _image_column(rows: Any, chosen: str | None, description: str, remedy: str = "") -> str:
    images = [str(name) for name, kind in rows.features.items() if type(kind).__name__ == "Image"]
    if chosen is None and len(images) == 1:
        return images[0]
    if chosen in images:
        return str(chosen)
    problem = f"column {chosen!r} holds no images" if chosen else "no single column of images"
    columns = f"columns of images: {', '.join(images) or 'none'} (of {', '.join(rows.features)})"
    raise DataError(f"{description}: {problem}; {columns}{remedy if images else ''}")


def _left_encoded(rows: Any) -> Any:
    """The same rows with images as encoded bytes."""
    for name, kind in rows.features.items():
        if type(kind).__name__ == "Image":
            rows = rows.cast_column(name, type(kind)(decode=False))
    return rows


@lru_cache(maxsize=2)
def _load(origin: str) -> Any:
    """The training split, with images left encoded."""
    try:
        import datasets
    except ImportError:
        raise DataError("data sets by name need the extra 'hub': pip install 'ganglion[hub]'") from None
    datasets.disable_progress_bars()
    try:
        splits = datasets.load_dataset(origin)
    except Exception as error:  # the library passes on errors of its file systems, parsers and HTTP clients
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"the data set {origin} cannot be loaded ({type(error).__name__}: {reason}); "
            "where there is no network, name a local copy with --data-dir"
        ) from None
    rows = splits["train"] if "train" in splits else next(iter(splits.values()))
    return _left_encoded(rows)
