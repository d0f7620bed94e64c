"""What of a recipe is not as in the preset that it is based on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from ganglion.recipe.resolve import flatten, preset_names, resolve
from ganglion.recipe.schema import Recipe

__all__ = ["NARROW", "SIZES", "Deviation", "deviations"]

PARTS = ("generator.", "discriminator.", "init.", "objective.", "balance.", "optimizer.")
SIZES = ("width", "blocks", "expansion", "group", "full_size_maps")
"""Last parts of keys that are larger or smaller for the sake of time and memory."""

NARROW = 1 / 8
"""Share of the preset's width from which on networks were too narrow for their images (docs/doctor.md: small-g, small-d)."""


class Deviation(NamedTuple):
    value: object
    """The recipe's; None where its part has no such key."""
    usual: object
    """The preset's."""

    @property
    def factor(self) -> float | None:
        """Times the preset's value; None where one of them is no positive number."""
        numbers = [one for one in self if isinstance(one, int | float) and not isinstance(one, bool) and one > 0]
        return float(numbers[0] / numbers[1]) if len(numbers) == 2 else None

    @property
    def texts(self) -> tuple[str, str]:
        """Both values, as a sentence shows them."""
        return _shown(self.value), _shown(self.usual)


@lru_cache(maxsize=256)
def deviations(recipe: Recipe) -> Mapping[str, Deviation]:
    """By dotted key, in the schema's order: networks, first weights, losses, balance and optimisers. Not of networks and losses
    that replace the preset's; empty where the recipe is based on none.
    """
    if recipe.name not in preset_names():
        return MappingProxyType({})
    now, usual = flatten(recipe), flatten(resolve(recipe.name))
    other = tuple(f"{one}." for one in ("generator", "discriminator") if now[f"{one}.family"] != usual[f"{one}.family"])
    other += ("objective.adversarial", "objective.custom_loss") if recipe.objective.adversarial == "custom" else ()
    return MappingProxyType({
        key: Deviation(now.get(key), value)
        for key, value in usual.items()
        if key.startswith(PARTS) and not key.startswith(other) and _in_order(now.get(key)) != _in_order(value)
    })  # fmt: skip


def _in_order(value: object) -> object:
    """Of penalties, whose order means nothing, sorted by their kinds."""
    return sorted(value, key=str) if isinstance(value, list) else value


def _shown(value: object) -> str:
    """Of penalties their kinds and weights."""
    if isinstance(value, list):
        named = [f"{one['kind']} {one['weight']:g}" if isinstance(one, dict) else str(one) for one in value]
        return " and ".join(named) or "none"
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)
