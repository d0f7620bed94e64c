"""What names tell without a file being opened: whether it is an image, and whether it is left out of every source; and how a
name is printed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

__all__ = [
    "PREVIEW",
    "is_litter",
    "is_own_folder",
    "looks_like_image",
    "outside_own_folders",
    "printable",
]

IMAGE_SUFFIXES = frozenset([
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
    ".pnm", ".tga", ".jp2", ".avif", ".ico",
])  # fmt: skip
UNREAD_SUFFIXES = frozenset([".heic", ".heif", ".jxl"])
"""Of images that Pillow does not read."""
SYSTEM_FOLDERS = frozenset(["__MACOSX", "@eaDir", "$RECYCLE.BIN", "wandb", "mlruns", "mlartifacts"])
"""Of macOS, of Synology's disks with its thumbnails, of Windows; of trackers, which keep a run's samples in the working
directory."""
PREVIEW = "ganglion-preview.png"
"""The sheet that `ganglion data` writes; that of augmented images is called after their kind too."""
PREVIEWS = re.compile(r"ganglion-preview(-[a-z]+)?\.png")
OWN_FOLDERS = (
    frozenset(["recipe.yaml", "environment.json"]),  # a run: they are its first files, before any sample
    frozenset(["vitals.jsonl"]),  # a watched loop
    frozenset(["store.json", "images.npy"]),  # a store
)
"""A folder that holds all files of one of these was written by Ganglion."""


def looks_like_image(name: str) -> bool:
    """Whether the file has an image suffix; other files are listed, but do not count as broken images."""
    return suffix_of(name) in IMAGE_SUFFIXES | UNREAD_SUFFIXES


def suffix_of(name: str) -> str:
    """In small letters, with its dot; empty where there is none."""
    return f".{name.rsplit('.', 1)[1].lower()}" if "." in name else ""


def is_litter(name: str) -> bool:
    """Whether it is left out: a hidden file, a system's, a preview, or in a hidden folder, a system's or a tracker's."""
    parts = name.split("/")
    hidden = any(part.startswith(".") and part not in (".", "..") for part in parts)
    of_no_use = parts[-1] in {"Thumbs.db", "desktop.ini"} or PREVIEWS.fullmatch(parts[-1]) is not None
    return hidden or of_no_use or not SYSTEM_FOLDERS.isdisjoint(parts)


def is_own_folder(names: Collection[str]) -> bool:
    """Whether a folder with these files is a run, a watched loop's or a store: its samples are no images to train on."""
    return any(files.issubset(names) for files in OWN_FOLDERS)


def outside_own_folders(paths: Iterable[str]) -> list[str]:
    """The paths without those in runs, watched loops' folders and stores; one that holds all of the paths is kept."""
    paths, marks = list(paths), frozenset[str]().union(*OWN_FOLDERS)
    held: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if name in marks:
            held.setdefault(folder, set()).add(name)
    own = [f"{folder}/" for folder, names in held.items() if folder and is_own_folder(names)]
    own = [folder for folder in own if not all(path.startswith(folder) for path in paths)]
    return [path for path in paths if not path.startswith(tuple(own))] if own else paths


def printable(name: str) -> str:
    """`name` for a terminal or a JSON file; undecodable bytes are written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
