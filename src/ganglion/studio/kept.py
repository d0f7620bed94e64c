"""Directions that a person has named and kept: one file in the run folder, which `ganglion walk --directions` reads too."""

from __future__ import annotations

import threading
import unicodedata
from pathlib import Path

import torch
from torch import Tensor

from ganglion.errors import DataError, RunError
from ganglion.latent.directions import Directions, load_directions, save_directions
from ganglion.runs.folder import Run

__all__ = ["keep", "kept", "kept_path", "remove"]

LONGEST = 40  # characters of a name
MOST = 200
_WRITING = threading.Lock()
"""Two tabs may keep a direction at the same time; each reads the file and writes it with one more."""


def kept_path(run: Path) -> Path:
    return run / "latent" / "directions-kept.safetensors"


def kept(run: Path, dim: int) -> Directions | None:
    """The kept directions (K, Z) of `dim` dimensions, oldest first; None without any. Raises DataError for a broken file."""
    path = kept_path(run)
    if not path.is_file():
        return None
    found = load_directions(path, dim)
    if len(found.names) != len(found):
        raise DataError(f"{path} holds directions without names; move it away, and directions can be kept again")
    return found if len(found) else None


def keep(run: Path, vector: Tensor, name: str) -> Directions:
    """Adds the direction of `vector` (Z,) under a name; one of the same name is replaced. All that are kept.

    The file is replaced as a whole, so that it is never half-written. Raises DataError, RunError, StorageError.
    """
    name = _name(name)
    strength = float(vector.norm())
    if not strength > 0:
        raise DataError("nothing is moved, so there is no direction to keep: move a slider, or mix two seeds, first")
    with _WRITING:
        before = _others(run, name, len(vector))
        if before and len(before) >= MOST:
            raise DataError(f"{MOST} directions are kept already: remove one first")
        vectors, strengths = (vector / strength)[None].cpu().float(), torch.tensor([strength])
        names: tuple[str, ...] = (name,)
        if before:
            vectors, strengths = torch.cat([before.vectors, vectors]), torch.cat([before.strengths, strengths])
            names = (*before.names, name)
        return _written(run, Directions(vectors, strengths, "kept", names))


def remove(run: Path, name: str, dim: int) -> Directions | None:
    """Removes the direction of this name; those that are left. Raises DataError, RunError, StorageError."""
    with _WRITING:
        left = _others(run, name, dim)
        if left is not None:
            return _written(run, left)
        _there(run)
        kept_path(run).unlink(missing_ok=True)
        return None


def _others(run: Path, name: str, dim: int) -> Directions | None:
    found = kept(run, dim)
    places = [place for place, one in enumerate(found.names if found else ()) if one != name]
    if found is None or not places:
        return None
    return Directions(
        found.vectors[places], found.strengths[places], "kept", tuple(found.names[place] for place in places)
    )


def _written(run: Path, directions: Directions) -> Directions:
    _there(run)
    save_directions(directions, kept_path(run))
    return directions


def _there(run: Path) -> None:
    """A run that was deleted under the page is not made anew. Raises RunError."""
    if not Run(run).exists:
        raise RunError(f"{run} is not there any more, so nothing can be kept in it")


def _name(text: str) -> str:
    name = " ".join("".join(letter if unicodedata.category(letter)[0] != "C" else " " for letter in text).split())
    if not name:
        raise DataError("a direction needs a name, such as smile")
    if len(name) > LONGEST:
        raise DataError(f"a name has at most {LONGEST} characters; this one has {len(name)}")
    return name
