"""Adversarial losses. Each works on logits (raw, before any sigmoid), of any shape, and is a mean over them.

D(x) = sigmoid(logit) is the probability that x is real. softplus(l) = log(1 + exp(l)) gives -log D = softplus(-l) and
-log(1 - D) = softplus(l) without ever forming a probability that could round to 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import softplus

from ganglion.recipe.schema import AdversarialName

__all__ = ["ADVERSARIAL", "AdversarialLoss"]

Loss = Callable[[Tensor, Tensor], Tensor]


class AdversarialLoss(NamedTuple):
    discriminator: Loss
    """(real logits, fake logits) to the loss that D minimises."""
    generator: Loss
    """(real logits, fake logits) to the loss that G minimises."""
    generator_needs_real: bool = False
    """Whether G's loss looks at the real logits; where it does not, the G phase does not compute them."""


def logistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log D(x)] - E[log(1 - D(G(z)))]. Goodfellow et al. 2014, arXiv 1406.2661, equation 1.

    In [0, inf); 2 log 2 where D cannot tell.
    """
    return softplus(-real).mean() + softplus(fake).mean()


def non_saturating_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log D(G(z))]. Goodfellow et al. 2014, section 3. In [0, inf); its gradient is strong where D is sure."""
    return softplus(-fake).mean()


def minimax_generator(real: Tensor, fake: Tensor) -> Tensor:
    """E[log(1 - D(G(z)))]. Goodfellow et al. 2014, equation 1. In (-inf, 0]; its gradient vanishes where D is sure."""
    return -softplus(fake).mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log sigmoid(l(x) - l(G(z)))] over pairs. Jolicoeur-Martineau 2018, arXiv 1807.00734; Huang et al. 2025 (R3GAN),
    arXiv 2501.05441, equation 2. In [0, inf); log 2 where D cannot tell.
    """
    return softplus(fake - real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log sigmoid(l(G(z)) - l(x))] over pairs: the mirror of D's loss. In [0, inf)."""
    return softplus(real - fake).mean()


ADVERSARIAL: dict[AdversarialName, AdversarialLoss] = {
    "non-saturating": AdversarialLoss(logistic_discriminator, non_saturating_generator),
    "minimax": AdversarialLoss(logistic_discriminator, minimax_generator),
    "relativistic": AdversarialLoss(relativistic_discriminator, relativistic_generator, generator_needs_real=True),
}
