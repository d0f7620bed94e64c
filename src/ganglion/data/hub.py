"""Data sets by name from the Hugging Face Hub, or a local copy of what the Hub would send. Needs the extra `hub`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ganglion.data.source import Entry
from ganglion.errors import DataError

__all__ = ["NAMED", "HubSource", "parse_hub_name"]

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
        return f"hub {_load(self.origin)._fingerprint} {self._image_column()}"

    def entries(self) -> list[Entry]:
        rows = _load(self.origin)
        column = next((name for name, kind in rows.features.items() if type(kind).__name__ == "ClassLabel"), None)
        if column is None:
            return [Entry(f"row {i}", i) for i in range(len(rows))]
        names = rows.features[column].names
        return [Entry(f"row {i}", i, None if k is None or k < 0 else names[k]) for i, k in enumerate(rows[column])]

    def read(self, entry: Entry) -> bytes:
        cell = _load(self.origin)[int(entry.locator)][self._image_column()]
        if cell is None:
            raise ValueError("the row has no image")
        return bytes(cell["bytes"]) if cell["bytes"] is not None else Path(cell["path"]).read_bytes()

    def _image_column(self) -> str:
        features = _load(self.origin).features
        images = [str(name) for name, kind in features.items() if type(kind).__name__ == "Image"]
        if self.column is None and len(images) == 1:
            return images[0]
        if self.column in images:
            return str(self.column)
        asked = f"column {self.column!r} holds no images" if self.column else "no single column of images"
        raise DataError(
            f"{self.description}: {asked}; columns of images: {', '.join(images) or 'none'} (of {', '.join(features)})"
        )


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
    for name, kind in rows.features.items():
        if type(kind).__name__ == "Image":
            rows = rows.cast_column(name, datasets.Image(decode=False))
    return rows
