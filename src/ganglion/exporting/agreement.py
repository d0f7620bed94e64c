"""Compares what a file computes with what PyTorch computes of the same inputs, and refuses a file that differs.

N images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.data.alpha import premultiplied
from ganglion.errors import ExportError
from ganglion.exporting.graphs import CHECKED, Graph

__all__ = ["FLOAT_BOUND", "LEVELS_BOUND", "LOGIT_BOUND", "Agreement", "Compute", "compare", "first_line", "of_module"]

Compute = Callable[[Mapping[str, Tensor]], NDArray[np.generic]]
"""Inputs by name to the file's output."""

FLOAT_BOUND = 1e-3
"""Of values in [-1, 1]; one level of 255 is 0.0078."""
LEVELS_BOUND = 1.0
"""Of 255: a value next to a rounding boundary may fall on its other side."""
LOGIT_BOUND = 1e-3
"""Of the largest logit, or of 1 where that is smaller."""

BATCHES = ((0, CHECKED, 1.0), (3, 1, 1.0), (7, 5, 0.5))
"""First input, number of inputs and truncation: all at once, and two other sizes of the batch."""


@dataclass(frozen=True)
class Agreement:
    """The largest difference between a file and PyTorch."""

    largest: float
    bound: float
    unit: str
    """of 255 (levels), in [-1, 1] (values) or in logits."""

    def text(self) -> str:
        return (
            f"largest difference from PyTorch over {CHECKED} latents: {self.largest:.3g} {self.unit} (at most "
            f"{self.bound:.3g} allowed)"
        )


def compare(graph: Graph, compute: Compute, name: str) -> Agreement:
    """Runs both on the graph's inputs, in batches of 64, 1 and 5. Raises ExportError beyond the bound; `name` is the file's."""
    largest, bound, unit = 0.0, 0.0, ""
    for first, n, truncation in BATCHES:
        inputs = graph.batch(first, n, truncation)
        wanted = graph.reference(inputs).numpy()
        try:
            found = compute(inputs)
        except Exception as error:  # whatever another runtime raises
            raise ExportError(
                f"{name} fails on a batch of {n}, so it was not written: {first_line(error)}; networks of your own must "
                "take batches of any size"
            ) from error
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            raise ExportError(
                f"{name} returns {found.dtype} {found.shape} where PyTorch returns {wanted.dtype} {wanted.shape}, so it was "
                "not written; networks of your own must take batches of any size"
            )
        apart, bound, unit = _apart(found, wanted)
        largest = max(largest, apart) if np.isfinite(apart) else np.inf
    agreement = Agreement(largest, bound, unit)
    if not largest <= bound:
        raise ExportError(
            f"{name} was not written: {agreement.text()}; layers that draw random numbers or look at the rest of the batch "
            "cannot be exported"
        )
    return agreement


def _apart(found: NDArray[np.generic], wanted: NDArray[np.generic]) -> tuple[float, float, str]:
    """The largest difference, its bound and unit. Colours are compared as premultiplied: under little alpha, one level of
    what the network draws is many of straight colour."""
    if wanted.dtype == np.uint8:
        levels = [premultiplied(images.astype(np.uint8)).astype(np.int64) for images in (found, wanted)]
        return float(np.abs(levels[0] - levels[1]).max()), LEVELS_BOUND, "of 255"
    apart = float(np.abs(found.astype(np.float64) - wanted.astype(np.float64)).max())
    if wanted.ndim == 4:
        return apart, FLOAT_BOUND, "in [-1, 1]"
    return apart, LOGIT_BOUND * max(1.0, float(np.abs(wanted.astype(np.float64)).max())), "in logits"


def first_line(error: BaseException) -> str:
    """What a foreign error says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def of_module(module: Callable[..., Tensor]) -> Compute:
    """A module that takes the inputs in order, as a function of inputs by name."""

    def compute(inputs: Mapping[str, Tensor]) -> NDArray[np.generic]:
        with torch.no_grad():
            output: NDArray[np.generic] = module(*inputs.values()).detach().cpu().numpy()
        return output

    return compute
