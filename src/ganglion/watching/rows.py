"""Vitals of data that are no images: tables, points, signals, volumes. N samples, A values per sample."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

from ganglion.vitals.sample_stats import duplicates, mean_distance, nearest_others, pairwise

__all__ = ["Layout", "RowsReference", "as_images", "layout_of"]

Layout = Literal["images", "flat images", "signals", "rows"]

SMALLEST_SIDE = 7  # pixels: of the patches of the sliced Wasserstein distance
SMOOTH = 0.5  # mean square of the difference of neighbours over that of random pairs
VARIED = 0.3  # of the diversity of reals
LONGEST, MOST_COLUMNS, DIRECTIONS = 1024, 4096, 128


def layout_of(values: Tensor) -> Layout:
    """What samples (N, ...) are. Flat samples and those with one axis less than images are images only if neighbours are alike
    along both axes.
    """
    shape = values.shape[1:]
    if len(shape) == 3 and shape[0] <= 4 and min(shape[1:]) >= SMALLEST_SIDE:
        return "images"
    if len(shape) == 2:
        images = min(shape) >= SMALLEST_SIDE and _is_smooth(values[:, None])
        return "images" if images else "signals"
    if len(shape) == 1 and (square := _square(values)) is not None and _is_smooth(square):
        return "flat images"
    return "rows"


def as_images(values: Tensor, layout: Layout) -> Tensor | None:
    """Float (N, C, H, W); None where samples are no images."""
    if layout == "images":
        found = values if values.ndim == 4 else values[:, None] if values.ndim == 3 else None
        return found.float() if found is not None and min(found.shape[2:]) >= SMALLEST_SIDE else None
    square = _square(values) if layout == "flat images" and values.ndim == 2 else None
    return None if square is None else square.float()


def _square(values: Tensor) -> Tensor | None:
    for channels in (1, 3):
        side = math.isqrt(values.shape[1] // channels)
        if side >= SMALLEST_SIDE and channels * side * side == values.shape[1]:
            return values.reshape(-1, channels, side, side)
    return None


def _is_smooth(images: Tensor) -> bool:
    wide = images.detach().float()
    spread = 2 * wide.var(correction=0).clamp_min(1e-12)
    return all(float(wide.diff(dim=axis).square().mean() / spread) < SMOOTH for axis in (2, 3))


class RowsReference:
    """Fixed real samples that G's are compared with."""

    def __init__(self, reals: Tensor, layout: Layout) -> None:
        self.shape, self._layout = tuple(reals.shape[1:]), layout
        flat = self._flat(reals)
        self._mean, self._deviation = flat.mean(0), flat.std(0, correction=0)
        if layout == "signals":  # one scale for all times
            self._mean, self._deviation = flat.mean(), flat.std(correction=0)
        largest = self._deviation.max().clamp_min(1e-12)
        self._deviation = self._deviation.clamp_min(1e-3 * float(largest))
        self.rows = self._rows(reals)
        self._distances = pairwise(self.rows)
        self._spread = mean_distance(self._distances).clamp_min(1e-12)
        self._contrast = flat.std(1, correction=0).mean().clamp_min(1e-12)
        half = len(reals) // 2
        self.floor = self._distance(self.rows[:half], self.rows[half : 2 * half]) / math.sqrt(2)

    varied = False
    """Whether samples have been varied once: a generator that has not learnt yet is not a collapsed one."""

    def statistics(self, samples: Tensor, others: Tensor | None = None) -> dict[str, Any]:
        """The vitals of images that other data have too. `others`: samples at other latents.

        `contrast` is the standard deviation over time of signals over that of reals. Tables cannot be blank: they have 1, as
        soon as samples were varied once.
        """
        rows = self._rows(samples)
        n, distances = min(len(rows), len(self.rows)), pairwise(rows)
        contrast = self._flat(samples).std(1, correction=0).mean() / self._contrast
        found = {
            "diversity": float(mean_distance(distances) / self._spread),
            "duplicates": float(duplicates(distances, nearest_others(self._distances[:n, :n]).median())),
            "contrast": float(contrast) if self._layout == "signals" else 1.0,
            "swd": self._distance(self.rows[:n], rows[:n]),
            "swd_floor": self.floor,
        }
        if others is not None and len(others) == len(samples):
            found["z_response"] = float((rows - self._rows(others)).norm(dim=1).mean() / self._spread)
        self.varied |= found["diversity"] > VARIED
        if self._layout != "signals" and not self.varied:
            del found["contrast"]
        return {key: value for key, value in found.items() if math.isfinite(value)}

    def _flat(self, samples: Tensor) -> Tensor:
        """Float (N, A), at most LONGEST times of a signal, and at most MOST_COLUMNS values."""
        values = samples.detach().as_subclass(Tensor).float()
        if self._layout == "signals" and values.shape[-1] > LONGEST:
            values = adaptive_avg_pool1d(values.flatten(1, -2), LONGEST)
        flat = values.reshape(len(values), -1)
        return flat[:, :: -(-flat.shape[1] // MOST_COLUMNS)]

    def _rows(self, samples: Tensor) -> Tensor:
        """Standardised by the reals, and scaled so that distances are root mean squares."""
        flat = (self._flat(samples) - self._mean) / self._deviation
        return flat / math.sqrt(flat.shape[1])

    def _distance(self, reals: Tensor, samples: Tensor) -> float:
        """Sliced Wasserstein distance along fixed directions, thousandths; 0 for equal sets of equal size."""
        random = torch.Generator("cpu").manual_seed(reals.shape[1])
        directions = torch.randn(reals.shape[1], DIRECTIONS, generator=random, device="cpu", dtype=torch.float32)
        directions = torch.nn.functional.normalize(directions, dim=0).to(reals.device)
        scale = math.sqrt(reals.shape[1])
        a, b = ((rows * scale @ directions).sort(0).values for rows in (reals, samples))
        return 1000 * float((a - b).abs().mean())
