"""The score of a snapshot: near enough to the full one to choose the best checkpoint, in a second and without a network
that must be had or trained first.

benchmarks/cheap_scores.py chose it: over the checkpoints of a run, the Fréchet distance of 1,000 samples under random
convolutions ranks as that of 5,000 under learned features does (docs/metrics.md has the table).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from ganglion.metrics.extractor import Extractor
from ganglion.metrics.frechet import Moments, distance_from, moments
from ganglion.metrics.random_features import random_extractor

__all__ = ["SCORED_IMAGES", "CheapScore"]

SCORED_IMAGES = 1000


class CheapScore:
    """Fréchet distance, under random convolutions, of samples to reals that stay the same. Lower is better.

    Values compare for equal reals and equally many samples only. Memory is flat in the number of images.
    """

    def __init__(self, reals: Iterable[Tensor]) -> None:
        """reals: chunks of float images (N, C, H, W) in [-1, 1] on any device, at least 2 images in all."""
        chunks = iter(reals)
        first = next(chunks)
        self._extractor = random_extractor(first.shape[1], first.device)
        self._distance = distance_from(_moments(chain([first], chunks), self._extractor))

    def of(self, samples: Iterable[Tensor]) -> float:
        """samples: chunks of the same size, channels and device."""
        return self._distance(_moments(samples, self._extractor))


def _moments(chunks: Iterable[Tensor], extractor: Extractor) -> Moments:
    with torch.no_grad():
        return moments(np.concatenate([extractor.look(chunk).features.cpu().numpy() for chunk in chunks]))
