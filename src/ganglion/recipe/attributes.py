"""The columns of a labels file that G and D are conditioned on, as part of a recipe."""

from __future__ import annotations

from typing import Literal

from ganglion.recipe.parts import Part

__all__ = ["CONSTANT", "Attribute", "AttributeKind", "vector_names"]

AttributeKind = Literal["yes-no", "number", "class"]

CONSTANT = "constant"
"""The last number of a condition vector, always 1: a linear map of the vector then has a constant term."""


class Attribute(Part):
    name: str
    """The column's name."""
    kind: AttributeKind
    """yes-no: 1 or -1 in the condition vector. number: standardised. class: one number for each class, 1 for its own and 0 for
    the others. A missing value is 0 in all of them."""
    classes: tuple[str, ...] = ()
    """Names of the classes; empty for the other kinds."""
    low: float = 0
    """Smallest value of a number."""
    high: float = 0
    """Largest value of a number."""
    mean: float = 0
    """Mean of a number; the condition vector holds (value - mean) / std, clipped to [-3, 3]."""
    std: float = 1
    """Standard deviation of a number, of n values."""

    @property
    def vector_names(self) -> tuple[str, ...]:
        """What each of its numbers in the condition vector stands for."""
        return tuple(f"{self.name}={one}" for one in self.classes) if self.kind == "class" else (self.name,)

    @property
    def example(self) -> str:
        """A value, as `--label` takes it."""
        value = {"yes-no": "1", "number": f"{self.mean:.3g}", "class": (*self.classes, "")[0]}[self.kind]
        return f"{self.name}={value}"

    def text(self) -> str:
        """Its name and what it can be: `age (a number from 3 to 80)`."""
        values = {
            "yes-no": "1 or 0",
            "number": f"a number from {self.low:g} to {self.high:g}",
            "class": ", ".join(self.classes[:20]) + (", ..." if len(self.classes) > 20 else ""),
        }
        return f"{self.name} ({values[self.kind]})"


def vector_names(attributes: tuple[Attribute, ...]) -> tuple[str, ...]:
    """What each number of the condition vector stands for; empty without attributes."""
    names = tuple(name for attribute in attributes for name in attribute.vector_names)
    return (*names, CONSTANT) if names else ()
