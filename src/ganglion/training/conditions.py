"""Which columns of a labels file a run is conditioned on, and labels as frequent as among its training images.

M training images, A attributes, K numbers of a condition vector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ganglion.data.attributes import Attributes, choose_attributes
from ganglion.data.batches import Batches, held_out
from ganglion.data.store import Store
from ganglion.errors import DataError
from ganglion.networks.build import class_counts
from ganglion.networks.sampling import draw_labels
from ganglion.recipe.attributes import vector_names
from ganglion.recipe.schema import Data, Recipe
from ganglion.streams import Purpose, stream

__all__ = ["conditions_of", "labels_as_trained", "only_class", "training_rows", "unused_labels_file"]

MOST_ROWS = 20_000
MOST_NUMBERS = 2**28  # of all condition vectors: 1 GiB


def only_class(store: Store) -> bool:
    """Whether the labels file has a single column, of classes, and every image has one: they are the store's classes then."""
    columns = store.attributes.columns if store.attributes else ()
    return len(columns) == 1 and columns[0].kind == "class" and bool((store.labels >= 0).all())


def conditions_of(data: Data, store: Store) -> Attributes | None:
    """The columns that a conditional run uses, with their values; None where there are only classes. Raises DataError."""
    if store.attributes is None:
        if data.attributes:
            why = unused_labels_file(store) or "; there is none (docs/data.md)"
            raise DataError(f"data.attributes names columns of a labels file{why}")
        return None
    chosen = choose_attributes(store.attributes, data.attributes)
    if only_class(store):
        return None
    if data.sampling == "balanced" and all(column.kind == "number" for column in chosen.columns):
        raise DataError(
            "data.sampling balanced needs a column with classes or with yes and no, and there are only numbers: set it to "
            "frequency"
        )
    size = len(vector_names(chosen.columns))
    if size * len(chosen.values) > MOST_NUMBERS:
        largest = max(chosen.columns, key=lambda column: len(column.vector_names))
        raise DataError(
            f"a condition vector would have {size:,} numbers, too many for {len(chosen.values):,} images; the column "
            f"{largest.name} has {len(largest.classes):,} classes: choose columns with data.attributes"
        )
    return chosen


def unused_labels_file(store: Store) -> str:
    """Why the labels file there is cannot be used, behind a semicolon; empty where there is none, or it is used."""
    facts = store.facts.get("labels_file", {})
    return f"; {facts['name']} is not used: {facts['not_used']}" if facts.get("not_used") else ""


def training_rows(recipe: Recipe, store: Store) -> NDArray[np.float32] | None:
    """The values of the run's columns (M, A) of at most 20,000 training images, from which samples' attributes are drawn."""
    if not recipe.data.conditions:
        return None
    found, seed = conditions_of(recipe.data, store), recipe.training.seed
    assert found is not None
    seen, _ = held_out(len(store.images), seed, recipe.data.held_out_images or 0)
    rows: NDArray[np.float32] = found.values[stream(seed, Purpose.LABEL, 1).permutation(seen)[:MOST_ROWS]]
    return rows


def labels_as_trained(recipe: Recipe, batches: Batches, n: int, random: np.random.Generator) -> Tensor | None:
    """n labels on the CPU, classes (n,) or condition vectors (n, K), as frequent as among the training images."""
    attributes = batches.attributes if recipe.data.conditions else None
    return draw_labels(class_counts(recipe) if attributes is None else attributes.vectors(), n, random)
