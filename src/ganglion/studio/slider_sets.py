"""What the eight sliders of Explore move: the strongest directions, kept ones, or single dimensions, a page of eight at a time.

K directions, Z dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ganglion.errors import DataError
from ganglion.studio.kept import kept
from ganglion.studio.loaded import Loaded

__all__ = ["SLIDERS", "SliderSet", "default_set", "slider_set", "slider_sets"]

SLIDERS = 8
METHOD_NAMES = {
    "sefa": "Strongest directions (SeFa)",
    "pca": "Strongest directions (principal components)",
}
KEPT, DIMENSIONS = "kept", "dimensions"


class SliderSet(NamedTuple):
    """At most eight sliders."""

    names: tuple[str, ...]
    vectors: Tensor
    """(K, Z), unit vectors."""


def slider_sets(loaded: Loaded) -> list[tuple[str, str]]:
    """Every set that a run has, as its title and its key: `sefa`, `pca`, `kept:0`, `dimensions:8`.

    The number is that of the set's first slider. Kept directions that cannot be read are not among them; `slider_set` says why.
    """
    found = [(title, key) for key, title in METHOD_NAMES.items()] if loaded.has_directions else []
    try:
        own = kept(loaded.run, loaded.model.latent.dim)
    except DataError:
        own = None
    count = len(own) if own else 0
    found += [(_title("Kept directions", first, count), f"{KEPT}:{first}") for first in range(0, count, SLIDERS)]
    order = "by influence" if loaded.is_ranked else "by number"
    dim = loaded.model.latent.dim
    pages = range(0, dim, SLIDERS)
    return found + [(_title(f"Single dimensions, {order}", first, dim), f"{DIMENSIONS}:{first}") for first in pages]


def default_set(loaded: Loaded) -> str:
    """The set that a page opens with."""
    return "sefa" if loaded.has_directions else f"{DIMENSIONS}:0"


def slider_set(loaded: Loaded, key: str) -> SliderSet:
    """The set of this key. Raises DataError for one that there is not, or not any more."""
    kind, _, number = key.partition(":")
    if kind in METHOD_NAMES and loaded.has_directions:
        found = loaded.directions(kind)
        names = tuple(f"direction {i}" for i in range(1, len(found) + 1))
        return SliderSet(names, found.vectors.float())
    first = int(number) if number.isdecimal() else 0
    if kind == KEPT and (own := kept(loaded.run, loaded.model.latent.dim)) is not None and first < len(own):
        page = slice(first, first + SLIDERS)
        return SliderSet(own.names[page], own.vectors[page])
    if kind == DIMENSIONS and first < loaded.model.latent.dim:
        chosen = loaded.dimensions[first : first + SLIDERS]
        return SliderSet(tuple(f"dimension {one}" for one in chosen), torch.eye(loaded.model.latent.dim)[chosen])
    raise DataError("these sliders are not there any more: choose others")


def _title(text: str, first: int, count: int) -> str:
    return text if count <= SLIDERS else f"{text}: {first + 1} to {min(first + SLIDERS, count)}"
