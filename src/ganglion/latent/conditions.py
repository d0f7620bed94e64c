"""What a person asks a conditional model for, `smiling=1,age=30`, as condition vectors.

Attributes that are not asked for are those of a random training image that agrees with what is. M training images, A
attributes, K numbers of a condition vector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganglion.data.attributes import condition_vectors
from ganglion.recipe.attributes import Attribute
from ganglion.recipe.explain import did_you_mean
from ganglion.streams import Purpose, stream

__all__ = ["Asked", "Conditions"]

NEAREST = 0.1  # share of the training images that count as near to a number that is asked for
FEWEST_NEAR = 16
WORDS = {"1": 1.0, "0": 0.0, "-1": 0.0, "yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}

Asked = Mapping[str, object]
"""Values by the name of an attribute."""


@dataclass(frozen=True)
class Conditions:
    """The attributes of a model, and their values for some training images."""

    columns: tuple[Attribute, ...]
    rows: NDArray[np.float32]
    """(M, A), NaN where there is no value."""

    def draw(self, n: int, seed: int, asked: str | Asked | None = None) -> NDArray[np.float32]:
        """n condition vectors (n, K): with the values that are asked for, the others as among training images.

        The first k of n are those of `draw(k, seed, asked)`. Raises ValueError for a name or value that there is not.
        """
        wanted = self.values(asked)
        like = self._agreeing(wanted)[0]
        random = stream(seed, Purpose.LABEL)
        drawn = self.rows[like[(random.random(n) * len(like)).astype(np.int64)]]  # (n, A)
        for place, value in wanted.items():
            drawn[:, place] = value
        return condition_vectors(self.columns, drawn)

    def remark(self, asked: str | Asked | None) -> str:
        """A sentence where no training image has what is asked for; empty otherwise. Raises ValueError as `draw`."""
        wanted = self.values(asked)
        missed = self._agreeing(wanted)[1]
        if not missed:
            return ""
        said = ", ".join(f"{self.columns[place].name}={self._shown(place, wanted[place])}" for place in wanted)
        return (
            f"no training image known to the run has {said}: the other attributes are drawn from images that differ in "
            f"{missed} of these, and the combination may not look right"
        )

    def values(self, asked: str | Asked | None) -> dict[int, float]:
        """The value asked for, by the attribute's place. Raises ValueError for a name or value that there is not."""
        if asked is None:
            return {}
        pairs = dict(self._pair(part) for part in asked.split(",") if part.strip()) if isinstance(asked, str) else asked
        names = [column.name for column in self.columns]
        found = {}
        for name, value in pairs.items():
            if name not in names:
                raise ValueError(f"there is no attribute {name!r}; there are {self.text()}{did_you_mean(name, names)}")
            place = names.index(name)
            found[place] = _value(self.columns[place], value)
        return found

    def text(self, most: int = 12) -> str:
        """Names and possible values of the attributes."""
        more = f" and {len(self.columns) - most} more" if len(self.columns) > most else ""
        return ", ".join(column.text() for column in self.columns[:most]) + more

    def _pair(self, part: str) -> tuple[str, str]:
        name, equals, value = part.strip().partition("=")
        if not equals:
            example = ",".join(column.example for column in self.columns[:2])
            raise ValueError(
                f"expected NAME=VALUE, such as {example}, and got {part.strip()!r}; there are {self.text()}"
            )
        return name.strip(), value.strip()

    def _agreeing(self, wanted: dict[int, float]) -> tuple[NDArray[np.int64], int]:
        """Rows that agree in as many of these classes, and yes and no, as any does, and of these those with the nearest
        numbers; and in how many they differ."""
        exact = [place for place in wanted if self.columns[place].kind != "number"]
        differ = sum(
            (self.rows[:, place] != wanted[place] for place in exact), np.zeros(len(self.rows), np.int64)
        )  # (M,)
        fewest = int(differ.min())
        rows = np.flatnonzero(differ == fewest)
        apart = np.zeros(len(rows))
        for place in wanted.keys() - set(exact):
            gap = np.abs(self.rows[rows, place] - wanted[place]) / self.columns[place].std
            apart += np.nan_to_num(gap, nan=math.inf)
        if len(exact) < len(wanted):
            near = max(FEWEST_NEAR, round(NEAREST * len(rows)))
            rows = rows[np.argsort(apart, kind="stable")[:near]]
        return rows, fewest

    def _shown(self, place: int, value: float) -> str:
        column = self.columns[place]
        return column.classes[int(value)] if column.kind == "class" else f"{value:g}"


def _value(column: Attribute, value: object) -> float:
    """A value as it stands in a row. Raises ValueError where the attribute has no such value."""
    text = str(value).strip()
    if column.kind == "class":
        if text in column.classes:
            return float(column.classes.index(text))
        raise ValueError(
            f"there is no {column.name}={text}; expected {column.text()}{did_you_mean(text, column.classes)}"
        )
    if column.kind == "yes-no":
        if text.casefold() in WORDS:
            return WORDS[text.casefold()]
        raise ValueError(f"{column.name} is yes or no, written 1 or 0; got {text!r}")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    slack = 1e-6 * max(abs(column.low), abs(column.high))  # a range is read in a few digits
    if not column.low - slack <= number <= column.high + slack:
        raise ValueError(
            f"{column.name} is a number from {column.low:g} to {column.high:g} in the training images; got {text!r}"
        )
    return number
