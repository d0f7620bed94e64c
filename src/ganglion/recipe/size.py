"""Image sizes: parsing, and the sizes that repeated doubling of a base grid reaches."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = [
    "Chain",
    "Size",
    "chain_to",
    "check_reachable",
    "first_image_doublings",
    "nearest_sizes",
    "parse_size",
    "size_text",
]


Size = tuple[int, int]
"""Height and width in pixels."""

SMALLEST = 16
SMALLEST_BASE = 4  # the base grid's short side is 4 to 7: fewer pixels have no layout, more are too many for one layer
LONGEST_ASPECT = 4


class Chain(NamedTuple):
    """A base grid and the number of doublings: `base * 2**doublings == size`."""

    base: Size
    doublings: int


def parse_size(value: object) -> Size:
    """`64`, `"64"`, `"96x64"` (height x width) or `[96, 64]`, as (height, width)."""
    size = (0, 0)
    if isinstance(value, int) and not isinstance(value, bool):
        size = value, value
    elif isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+)\s*(?:[x×]\s*(\d+)\s*)?", value)):
        size = int(match[1]), int(match[2] or match[1])
    elif isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(side, int) for side in value):
        size = value[0], value[1]
    if min(size) < 1:
        raise ValueError("is not a size: write 64, or 96x64 for height x width")
    return size


def size_text(size: Size) -> str:
    """`96x64`; `64` for a square."""
    return str(size[0]) if size[0] == size[1] else f"{size[0]}x{size[1]}"


def chain_to(size: Size) -> Chain | None:
    """The base grid from which doublings reach `size`, or None where none does."""
    if min(size) < SMALLEST or max(size) > LONGEST_ASPECT * min(size):
        return None
    doublings = (min(size) // SMALLEST_BASE).bit_length() - 1
    step = 2**doublings
    if size[0] % step or size[1] % step:
        return None
    return Chain((size[0] // step, size[1] // step), doublings)


def first_image_doublings(chain: Chain) -> int:
    """Doublings of the base grid that make the smallest image, whose short side is 16 to 31 pixels."""
    return min(chain.doublings, (SMALLEST // SMALLEST_BASE).bit_length() - 1)


def check_reachable(size: Size) -> Size:
    """`size` unchanged; raises ValueError with the nearest reachable sizes where no chain of doublings reaches it."""
    if chain_to(size) is None:
        offers = " or ".join(size_text(offer) for offer in nearest_sizes(size))
        raise ValueError(
            "cannot be reached by doubling a grid whose short side is 4 to 7 "
            f"(smallest side {SMALLEST}, longest side at most {LONGEST_ASPECT} times the other); use {offers}"
        )
    return size


def nearest_sizes(size: Size) -> list[Size]:
    """Up to two reachable sizes near `size`, nearest first."""
    short = max(SMALLEST, min(size))
    size = min(size[0], LONGEST_ASPECT * short), min(size[1], LONGEST_ASPECT * short)  # a longer one has no chain
    candidates: set[Size] = set()
    for doublings in range(2, (short // SMALLEST_BASE).bit_length() + 1):
        step = 2**doublings
        for height in (size[0] // step * step, -(-size[0] // step) * step):
            for width in (size[1] // step * step, -(-size[1] // step) * step):
                candidate = max(height, SMALLEST), max(width, SMALLEST)
                square_if_asked = size[0] != size[1] or candidate[0] == candidate[1]
                if chain_to(candidate) and square_if_asked:
                    candidates.add(candidate)

    def distance(candidate: Size) -> tuple[int, Size]:
        return abs(candidate[0] - size[0]) + abs(candidate[1] - size[1]), candidate

    return sorted(candidates, key=distance)[:2]
