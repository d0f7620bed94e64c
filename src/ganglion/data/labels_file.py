"""Which file of a folder or zip has its labels. Its cells are read in `labels_table.py`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ganglion.data.file_names import is_litter, printable
from ganglion.data.sources import Entry, FolderSource, Source, ZipSource
from ganglion.errors import DataError

__all__ = ["AUTO", "FOLDERS", "LabelsFile", "find_labels_file"]

FORMAT = 2  # of what is made of a labels file; a new one packs the images again

AUTO, FOLDERS = "auto", "folders"
CELEBA = ("list_attr_celeba.txt", "list_attr_celeba.csv")
NAMES = ("labels.csv", "labels.tsv", "labels.txt", "metadata.csv", *CELEBA)
"""In this order. metadata.csv is that of Hugging Face's image folders."""


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
    more: tuple[LabelsFile, ...] = ()
    """Files of the same name in other folders, whose rows follow."""

    @property
    def keys(self) -> frozenset[str]:
        """The files' names in the source, as a scan lists them; none for a file outside it."""
        return frozenset(printable(file.key) for file in (self, *self.more) if file.key)

    @property
    def folder(self) -> str:
        """The folder of the source that it is in; empty for the source itself, and for a file outside."""
        return (self.key or "").rpartition("/")[0]

    def digest(self, entries: Sequence[Entry]) -> str:
        """Of the labels that these entries get."""
        digest = hashlib.sha256(f"labels {FORMAT}".encode())
        for file in (self, *self.more):
            digest.update(hashlib.sha256(file.folder.encode("utf-8", "surrogateescape")).digest())
            digest.update(hashlib.sha256(file.content).digest())
        for entry in entries:
            digest.update(entry.key.encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()


def find_labels_file(source: Source, wanted: str = AUTO) -> LabelsFile | None:
    """The labels file of a source, None where there is none. `wanted`: auto, folders (none), or a file in or beside the source.

    Files of one name in several folders, such as train and test, are taken together. Raises DataError where the file that is
    wanted is not there, or cannot be read.
    """
    if wanted == FOLDERS:
        return None
    asked = wanted != AUTO
    try:
        if isinstance(source, FolderSource | ZipSource):
            names = (wanted.replace("\\", "/"),) if asked else NAMES
            files = [LabelsFile(entry.key, source.read(entry), entry.key, asked) for entry in _inside(source, names)]
            if files:
                return replace(files[0], name=_called(files), more=tuple(files[1:]))
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


def _inside(source: FolderSource | ZipSource, names: Sequence[str]) -> list[Entry]:
    """The first of these names that is there: in the folder itself, or in one or several of its folders."""
    entries = _shallow(source.root) if isinstance(source, FolderSource) else source.entries()
    for depth in (0, 1):
        here = [(entry.key.rpartition("/")[2].casefold(), entry) for entry in entries if entry.key.count("/") == depth]
        found = [same for name in names if (same := [entry for called, entry in here if called == name.casefold()])]
        if found:
            return found[0]
    exact = next((name for name in names if "/" in name), None)
    if isinstance(source, FolderSource) and exact and not Path(exact).is_absolute() and (source.root / exact).is_file():
        return [Entry(exact, exact)]  # deeper
    return [entry for entry in entries if entry.key == exact][:1]


def _called(files: Sequence[LabelsFile]) -> str:
    if len(files) == 1:
        return files[0].name
    where = " and ".join(file.folder for file in files) if len(files) == 2 else f"{len(files)} folders"
    return f"{files[0].name.rpartition('/')[2]} in {where}"


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
