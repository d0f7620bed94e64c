"""From a name (`photos/`, `cifar.zip`, `digits`, `hf:owner/name`) to a source; data sets of the Hugging Face Hub."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ganglion.data.arrays import DigitsSource, IdxSource, NpySource, find_idx_images, is_idx_name
from ganglion.data.given import cannot_be_named
from ganglion.data.sources import Entry, FolderSource, InThisProcess, Source, ZipSource
from ganglion.errors import DataError
from ganglion.recipe.explain import did_you_mean

__all__ = ["NAMED", "HubSource", "RowsSource", "find_source", "parse_hub_name"]


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
    asked = f"column {chosen!r} holds no images" if chosen else "no single column of images"
    there = f"columns of images: {', '.join(images) or 'none'} (of {', '.join(rows.features)})"
    raise DataError(f"{description}: {asked}; {there}{remedy if images else ''}")


def _left_encoded(rows: Any) -> Any:
    """The same rows, whose images are read as the bytes of their files."""
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
    except Exception as error:  # the library raises whatever its file systems, parsers and HTTP clients raise
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"the data set {origin} cannot be loaded ({type(error).__name__}: {reason}); "
            "where there is no network, name a local copy with --data-dir"
        ) from None
    rows = splits["train"] if "train" in splits else next(iter(splits.values()))
    return _left_encoded(rows)


NAMES = ("digits", *NAMED)


def find_source(name: str, data_dir: str | Path | None = None, channels: int | None = None) -> Source:
    """The source that `name` means. Raises DataError.

    `data_dir` is a local copy of a named data set; `channels` are as many as the recipe asks for, which tells how an unclear
    array is read.
    """
    path = Path(name)
    if data_dir is not None:
        return _local_copy(name, Path(data_dir))
    if name == "digits":
        return DigitsSource()
    if _exists(path):
        return _at_path(path, channels)
    if cannot_be_named(name):
        raise DataError(
            f"{name!r} is what a Python program gave, and cannot be read again by that name: call ganglion.train with the same "
            "images, or name a file or folder that holds them"
        )
    if hub := parse_hub_name(name):
        return HubSource(*hub)
    raise DataError(
        f"there is no file or folder {name!r}, nor a data set of that name; "
        f"names are {', '.join(NAMES)} and hf:OWNER/NAME{did_you_mean(name, NAMES)}"
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long for any file
        return False


def _at_path(path: Path, channels: int | None = None) -> Source:
    if path.is_dir():
        images = find_idx_images(path)
        return IdxSource(images) if images else FolderSource(path)
    if is_idx_name(path.name):
        return IdxSource(path)
    if path.suffix.lower() == ".npy":
        return NpySource(path, channels)
    if zipfile.is_zipfile(path) or path.suffix.lower() == ".zip":
        return ZipSource(path)
    raise DataError(f"{path} is neither a folder, a zip, an IDX nor an NPY file; unpack it into a folder of images")


def _local_copy(name: str, folder: Path) -> Source:
    hub = parse_hub_name(name)
    if hub is None:
        raise DataError(f"--data-dir goes with a named data set ({', '.join(NAMES[1:])}, hf:OWNER/NAME); got {name!r}")
    if not folder.exists():
        raise DataError(f"--data-dir {folder}: there is no such folder")
    if folder.is_file():
        return _at_path(folder)
    if any(folder.rglob("*.parquet")) or any(folder.rglob("*.arrow")):
        return HubSource(str(folder), hub[1])
    archives = sorted(path for path in folder.glob("*.zip") if name.removeprefix("hf:") in path.name) or sorted(
        folder.glob("*.zip")
    )
    if find_idx_images(folder) is None and len(archives) == 1:
        return ZipSource(archives[0])
    return _at_path(folder)
