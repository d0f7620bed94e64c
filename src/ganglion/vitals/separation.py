"""How well D tells real from fake, as a rank statistic: it means the same whatever the loss."""

from __future__ import annotations

from torch import Tensor

__all__ = ["separation"]


def separation(real: Tensor, fake: Tensor) -> Tensor:
    """The chance that D gives a real image (N,) a higher logit than a fake one (M,), ties counted half. In [0, 1].

    0.5: D cannot tell; 1: it always tells. The area under the ROC curve; Mann and Whitney 1947.
    """
    pairs = real[:, None] - fake[None]  # (N, M)
    return (pairs.sign().mean() + 1) / 2
