"""Fingerprints of images, by which a batch is recognised without being kept.

A fingerprint is a fixed random linear projection of an image to K numbers; an interpolate of two images has the interpolate of
their fingerprints. N images, M images."""

from __future__ import annotations

import math
from collections import deque
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["DrawnImages", "Marks", "Match", "are_interpolates", "distribution_distance", "is_known", "marks_of"]


NUMBERS = 8
POSITIONS = 2048  # values of an image that are projected; larger images are subsampled at fixed random positions
EXACT, SINGLE, HALF = (
    1e-6,
    1e-4,
    8e-3,
)  # relative tolerances: of values themselves, of sums in float32, of 16-bit images
FEW = 4  # newest batches of G, among which images are looked for first
ON_THE_LINE = 2e-2  # relative tolerance of interpolates


class Marks(NamedTuple):
    """Fingerprints of a batch."""

    values: Tensor
    """float32 (N, K)."""
    shape: tuple[int, ...]
    """Of one image."""
    tolerance: float


def marks_of(images: Tensor) -> Marks:
    """Fingerprints of images (N, ...). Memory layout makes no difference, dtype none beyond the tolerance."""
    with torch.inference_mode(False), torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        plain = images.detach().as_subclass(Tensor)
        shape = tuple(plain.shape[1:])
        half = plain.element_size() < 4
        size = math.prod(shape)
        if size <= NUMBERS:
            rows = plain.reshape(len(plain), size).float()
            padded = torch.nn.functional.pad(rows, (0, NUMBERS - size))
            return Marks(padded, shape, HALF if half else EXACT)
        positions, directions = _projection(shape, plain.device)
        index: Any = (slice(None), *(positions or ()))
        picked = plain.flatten(1) if positions is None else plain[index]  # (N, positions)
        return Marks(picked.float() @ directions, shape, HALF if half else SINGLE)


def is_known(seen: Marks, drawn: Marks) -> Tensor:
    """Which of the images (N) are among others (M), as bool (N,)."""
    return matches(seen, drawn) >= 0


def matches(seen: Marks, drawn: Marks) -> Tensor:
    """For each image (N,) the last of the others (M) that equals it; -1 where none does."""
    tolerance = max(seen.tolerance, drawn.tolerance) * seen.values.abs().amax(1).clamp_min(1e-6)  # (N,)
    others = drawn.values.to(seen.values.device)
    firsts, order = others[:, 0].sort()  # candidates are found by the first number
    own = seen.values[:, 0].contiguous()
    low = torch.searchsorted(firsts, own - tolerance)
    counts = torch.searchsorted(firsts, own + tolerance, right=True) - low
    rows = torch.repeat_interleave(counts)
    starts = counts.cumsum(0) - counts
    columns = order[low[rows] + torch.arange(len(rows), device=rows.device) - starts[rows]]
    same = ((seen.values[rows] - others[columns]).abs_() <= tolerance[rows, None]).all(1)
    found = torch.full((len(seen.values),), -1, dtype=torch.int64, device=seen.values.device)
    return found.scatter_reduce_(0, rows[same], columns[same], "amax")


def are_interpolates(seen: Tensor, one: Tensor, other: Tensor) -> bool:
    """Whether each fingerprint (N, K) is on the line segment between those of the same row in two other sets (N, K)."""
    if seen.shape != one.shape or seen.shape != other.shape:
        return False
    direction = one - other
    length = direction.square().sum(1).clamp_min(1e-12)  # (N,)
    share = ((seen - other) * direction).sum(1) / length
    residual = (seen - other - share[:, None] * direction).square().sum(1)
    return bool(((residual <= ON_THE_LINE**2 * length) & (share > -1e-3) & (share < 1 + 1e-3)).all())


def distribution_distance(one: Marks, other: Marks) -> float:
    """Sliced Wasserstein distance between two batches along the projections, over their common spread."""
    n = min(len(one.values), len(other.values))
    a, b = (
        torch.quantile(marks.values, torch.linspace(0, 1, n, device=marks.values.device), 0) for marks in (one, other)
    )
    b = b.to(a.device)
    spread = torch.cat([a, b]).std(0, correction=0).clamp_min(1e-12)  # (K,)
    used = torch.cat([a, b]).abs().amax(0) > 0  # numbers beyond those of the data are 0
    return float(((a - b).abs().mean(0) / spread)[used].mean()) if bool(used.any()) else 0.0


@lru_cache(maxsize=16)
def _projection(shape: tuple[int, ...], device: torch.device) -> tuple[tuple[Tensor, ...] | None, Tensor]:
    """Positions (one index per axis; None: all) and directions (positions, K), fixed for each shape."""
    size = math.prod(shape)
    random = torch.Generator("cpu").manual_seed(size)
    count = min(size, POSITIONS)
    directions = torch.randn(count, NUMBERS, generator=random, device="cpu", dtype=torch.float32) / math.sqrt(count)
    if size <= POSITIONS:
        return None, directions.to(device)
    flat = torch.randint(size, (POSITIONS,), generator=random, device="cpu").sort().values
    return tuple(index.to(device) for index in torch.unravel_index(flat, shape)), directions.to(device)


class Batch(NamedTuple):
    """Images that G generated in one call."""

    call: int
    output: int
    """Which of G's outputs, if it has several."""
    marks: Marks


class Match(NamedTuple):
    """What is known of a batch."""

    known: Tensor
    """bool (N,): the images that G has generated."""
    source: Batch | None
    """The newest call of which most of them are."""

    @property
    def is_replay(self) -> bool:
        """Whether the images are of many calls, or of one that is not among the newest."""
        return self.source is None and bool(self.known.float().mean() > 0.5)


class DrawnImages:
    """Fingerprints of G's images: of the newest calls one by one, of older ones all together."""

    NEWEST, OLDER = 48, 16384

    def __init__(self) -> None:
        self._newest: deque[Batch] = deque()
        self._older: dict[tuple[int, ...], list[Marks]] = {}

    def __len__(self) -> int:
        return len(self._newest)

    def add(self, call: int, output: int, marks: Marks) -> None:
        self._newest.append(Batch(call, output, marks))
        if len(self._newest) > self.NEWEST:
            old = self._newest.popleft().marks
            self._older.setdefault(old.shape, []).append(old)
            if len(self._older[old.shape]) > self.NEWEST:
                self._older[old.shape] = [self._joined(self._older[old.shape])]

    def match(self, seen: Marks) -> Match:
        """Which images of a batch G has generated, and in which call."""
        same = [batch for batch in self._newest if batch.marks.shape == seen.shape]
        known = torch.zeros(len(seen.values), dtype=torch.bool, device=seen.values.device)
        source = None
        for batches in (same[-FEW:], same) if len(same) > FEW else (same,):
            if batches and not bool(known.all()):
                at = matches(seen, self._joined([batch.marks for batch in batches]))
                known = at >= 0
                source = self._source(batches, at[known], len(at))
        older = self._older.get(seen.shape, [])
        if older and not bool(known.all()):
            known = known | is_known(seen, self._joined(older))
        return Match(known, source)

    def known(self, seen: Marks) -> Tensor:
        """Which images of a batch G has generated, as bool (N,)."""
        return self.match(seen).known

    def shapes(self) -> set[tuple[int, ...]]:
        return {batch.marks.shape for batch in self._newest}

    def batches(self) -> list[Marks]:
        return [batch.marks for batch in self._newest]

    @staticmethod
    def _source(batches: list[Batch], found: Tensor, n: int) -> Batch | None:
        """The batch to which more than half of all images belong."""
        ends = torch.tensor([len(batch.marks.values) for batch in batches], device="cpu").cumsum(0)
        counts = torch.bincount(torch.searchsorted(ends, found.cpu(), right=True), minlength=len(batches))
        best = int(counts.argmax())
        return batches[best] if 2 * int(counts[best]) > min(n, len(batches[best].marks.values)) else None

    def _joined(self, marks: list[Marks]) -> Marks:
        device = marks[0].values.device
        values = torch.cat([each.values.to(device) for each in marks])[-self.OLDER :]
        return Marks(values, marks[0].shape, max(each.tolerance for each in marks))
