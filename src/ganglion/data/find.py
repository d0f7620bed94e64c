"""From the name of a source (`photos/`, `cifar.zip`, `digits`, `hf:owner/name`) to the source."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ganglion.data.arrays import DigitsSource, IdxSource, NpySource, find_idx_images, is_idx_name
from ganglion.data.given import cannot_be_named
from ganglion.data.hub import NAMED, HubSource, parse_hub_name
from ganglion.data.sources import FolderSource, Source, ZipSource
from ganglion.errors import DataError
from ganglion.recipe.explain import did_you_mean

__all__ = ["find_source"]

NAMES = ("digits", *NAMED)


def find_source(name: str, data_dir: str | Path | None = None, channels: int | None = None) -> Source:
    """The source named `name`. Raises DataError.

    `data_dir` is a local copy of a named data set; `channels` is the recipe's number of channels, which resolves ambiguous
    array shapes.
    """
    path = Path(name)
    if data_dir is not None:
        return _local_copy(name, Path(data_dir))
    if _exists(path):
        return _readable(path, channels)
    if name == "digits":
        return DigitsSource()
    if cannot_be_named(name):
        raise DataError(
            f"{name!r} describes images from a Python program, which cannot be read again: call ganglion.train with the same "
            "images, or name a file or folder with them"
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


def _readable(path: Path, channels: int | None = None) -> Source:
    """Raises DataError where the path may not be read."""
    try:
        next(path.iterdir(), None) if path.is_dir() else path.open("rb").close()
        return _at_path(path, channels)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def _at_path(path: Path, channels: int | None = None) -> Source:
    if path.is_dir():
        images = find_idx_images(path)
        return IdxSource(images) if images else FolderSource(path)
    if is_idx_name(path.name):
        return IdxSource(path)
    if path.suffix.lower() in (".npy", ".npz"):
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
        return _readable(folder)
    if any(folder.rglob("*.parquet")) or any(folder.rglob("*.arrow")):
        return HubSource(str(folder), hub[1])
    archives = sorted(path for path in folder.glob("*.zip") if name.removeprefix("hf:") in path.name) or sorted(
        folder.glob("*.zip")
    )
    if find_idx_images(folder) is None and len(archives) == 1:
        return ZipSource(archives[0])
    return _readable(folder)
