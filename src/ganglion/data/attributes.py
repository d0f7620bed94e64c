"""Attributes of images as numbers: the values of a labels file's columns, and the condition vectors that networks get.

N images, A attributes, K numbers of a condition vector.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ganglion.errors import DataError
from ganglion.recipe.attributes import Attribute
from ganglion.recipe.explain import did_you_mean

__all__ = ["Attributes", "choose_attributes", "class_weights", "condition_vectors"]

MOST_DEVIATIONS = 3.0  # numbers further from the mean are clipped, so that an outlier does not drive the networks


@dataclass(frozen=True)
class Attributes:
    """Columns of a labels file, and their values for each image."""

    columns: tuple[Attribute, ...]
    values: NDArray[np.float32]
    """(N, A): 1 or 0 for yes or no, a number as it is, the number of a class; NaN where there is no value."""

    def vectors(self) -> NDArray[np.float32]:
        """Condition vectors (N, K)."""
        return condition_vectors(self.columns, self.values)

    def codes(self) -> NDArray[np.float32]:
        """The values of the columns that have classes, or yes and no; (N, at most A)."""
        return self.values[:, [i for i, column in enumerate(self.columns) if column.kind != "number"]]

    def pick(self, images: NDArray[np.int64]) -> Attributes:
        """Those of the images at these indices."""
        return replace(self, values=self.values[images])


def condition_vectors(columns: tuple[Attribute, ...], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Condition vectors (N, K) of values (N, A); what each number is, `vector_names` says. A missing value is all zeros."""
    parts = [_encoded(column, values[:, i]) for i, column in enumerate(columns)]
    vectors = np.concatenate([*parts, np.ones((len(values), 1))], 1)  # (N, K)
    filled: NDArray[np.float32] = np.nan_to_num(vectors, nan=0.0).astype(np.float32)
    return filled


def _encoded(column: Attribute, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """One column's values (N,) as its numbers of the condition vector, (N, 1) or a number for each class; NaN where missing."""
    if column.kind == "class":
        own: NDArray[np.bool_] = values[:, None] == np.arange(len(column.classes))
        return own.astype(np.float64)
    wide = values.astype(np.float64)[:, None]
    if column.kind == "yes-no":
        return 2 * wide - 1
    return np.clip((wide - column.mean) / column.std, -MOST_DEVIATIONS, MOST_DEVIATIONS)


def choose_attributes(found: Attributes, names: tuple[str, ...] | None) -> Attributes:
    """The columns of these names, in their order; all for None. `NAME:class` takes a column of numbers as classes.

    Raises DataError for a column that is not there.
    """
    if names is None:
        return found
    known = [column.name for column in found.columns]
    columns, values = [], []
    for name in dict.fromkeys(names):
        as_class = name not in known and name.endswith(":class")
        plain = name.removesuffix(":class") if as_class else name
        if plain not in known:
            raise DataError(
                f"data.attributes: there is no usable column {plain!r}; there are {', '.join(known[:20])}"
                f"{', ...' if len(known) > 20 else ''}{did_you_mean(plain, known)}"
            )
        place = known.index(plain)
        column, value = found.columns[place], found.values[:, place]
        if as_class and column.kind == "number":
            column, value = _as_classes(column, value)
        columns.append(column)
        values.append(value)
    return Attributes(tuple(columns), np.stack(values, 1))


def _as_classes(column: Attribute, values: NDArray[np.float32]) -> tuple[Attribute, NDArray[np.float32]]:
    """A column of numbers with a class for each different one."""
    present = ~np.isnan(values)
    different, codes = np.unique(values[present], return_inverse=True)
    if 2 * len(different) > present.sum():
        raise DataError(
            f"data.attributes: {column.name} has {len(different):,} different numbers in {present.sum():,} images, too many "
            "for classes: leave out :class"
        )
    coded = np.full(len(values), np.nan, np.float32)
    coded[present] = codes
    classes = tuple(np.format_float_positional(number, trim="-") for number in different)
    return Attribute(name=column.name, kind="class", classes=classes), coded


def class_weights(codes: NDArray[np.float32]) -> NDArray[np.float64]:
    """How often each image is shown under balanced sampling, (N,) with the sum 1, from the number of its class (N, A) in each
    column, NaN where it has none.

    In one column, every class is shown equally often. With several, an image has the mean of its columns' weights.
    """
    weights = np.zeros(len(codes))
    for column in codes.T:
        present = ~np.isnan(column)
        _, places, counts = np.unique(column[present], return_inverse=True, return_counts=True)
        share = np.full(len(column), 1 / len(column))  # of an image without a class
        share[present] = present.mean() / (len(counts) * counts[places])
        weights += share
    total: NDArray[np.float64] = weights / weights.sum()
    return total
