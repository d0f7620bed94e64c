"""Adversarial losses. Each takes logits (before any sigmoid) of any shape, and is a mean over them.

D(x) = sigmoid(logit) is the probability that x is real. softplus(l) = log(1 + exp(l)) gives -log D = softplus(-l) and
-log(1 - D) = softplus(l) without computing a probability that could round to 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus

from ganglion.recipe.parts import TRAITS, AdversarialName, LossTraits, Objective

__all__ = ["ADVERSARIAL", "AdversarialLoss", "adversarial_of", "label_smoothing", "per_image"]


Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class AdversarialLoss:
    """The loss that G and D contest: two functions, each of (real logits, fake logits), to a scalar that is minimised.

    Logits are float32, (N,) or, of a D that returns a map, (N, P). Real and fake ones are as many.
    """

    discriminator: Loss
    """What D minimises."""
    generator: Loss
    """What G minimises."""
    generator_needs_real: bool = False
    """Whether G's loss uses the real logits; otherwise G's step does not compute them, and the loss gets the fake logits in
    their place."""
    probability_logits: bool = False
    """Whether the sigmoid of a logit is D's probability that the image is real: then objective.real_label and ADA apply."""
    zero_boundary: bool = False
    """Whether a logit above 0 means real, as under the hinge loss: then ADA applies. True of probability_logits too."""
    critic: bool = False
    """Whether mean real minus mean fake logits estimate the earth mover's distance, as for Wasserstein losses."""
    name: str = "custom"
    """The name in messages."""

    @property
    def traits(self) -> LossTraits:
        """The properties that a recipe records."""
        return LossTraits(**{name: getattr(self, name) for name in LossTraits.model_fields})


def logistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log D(x)] - E[log(1 - D(G(z)))]. Goodfellow et al. 2014, arXiv 1406.2661, equation 1.

    In [0, inf); 2 log 2 for D = 1/2.
    """
    return softplus(-real).mean() + softplus(fake).mean()


def non_saturating_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log D(G(z))]. Goodfellow et al. 2014, section 3. In [0, inf); its gradient is large where D rejects fakes."""
    return softplus(-fake).mean()


def minimax_generator(real: Tensor, fake: Tensor) -> Tensor:
    """E[log(1 - D(G(z)))]. Goodfellow et al. 2014, equation 1. In (-inf, 0]; its gradient vanishes where D rejects fakes."""
    return -softplus(fake).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """(E[(l(x) - 1)^2] + E[l(G(z))^2]) / 2. Mao et al. 2017, arXiv 1611.04076, equation 9. In [0, inf); 1/4 at best for G."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_generator(real: Tensor, fake: Tensor) -> Tensor:
    """E[(l(G(z)) - 1)^2] / 2. Mao et al. 2017, equation 9. In [0, inf)."""
    return (fake - 1).square().mean() / 2


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 - l(x))] + E[max(0, 1 + l(G(z)))]. Lim and Ye 2017, arXiv 1705.02894; Miyato et al. 2018, equation 16.

    In [0, inf); 2 for logits of 0.
    """
    return relu(1 - real).mean() + relu(1 + fake).mean()


def mean_logit_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[l(G(z))]. G's side of the hinge (Miyato et al. 2018, equation 17) and of Wasserstein losses. In (-inf, inf)."""
    return -fake.mean()


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[l(G(z))] - E[l(x)]. Arjovsky et al. 2017, arXiv 1701.07875, algorithm 1. In (-inf, inf).

    Its negative is the critic's estimate of the earth mover's distance, up to the factor of its Lipschitz constant.
    """
    return fake.mean() - real.mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log sigmoid(l(x) - l(G(z)))] over pairs. Jolicoeur-Martineau 2018, arXiv 1807.00734; Huang et al. 2025 (R3GAN),
    arXiv 2501.05441, equation 2. In [0, inf); log 2 for equal logits.
    """
    return softplus(fake - real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log sigmoid(l(G(z)) - l(x))] over pairs: the mirror of D's loss. In [0, inf)."""
    return softplus(real - fake).mean()


def relativistic_average_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log sigmoid(l(x) - E l(G(z)))] - E[log sigmoid(E l(x) - l(G(z)))]. Jolicoeur-Martineau 2018, section 3.3.

    In [0, inf); 2 log 2 for equal logits.
    """
    return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()


def relativistic_average_generator(real: Tensor, fake: Tensor) -> Tensor:
    """D's loss with real and fake exchanged. Jolicoeur-Martineau 2018, section 3.3. In [0, inf)."""
    return softplus(real.mean() - fake).mean() + softplus(real - fake.mean()).mean()


def _built_in(name: AdversarialName, discriminator: Loss, generator: Loss) -> AdversarialLoss:
    return AdversarialLoss(discriminator, generator, **TRAITS[name].model_dump())


ADVERSARIAL: dict[AdversarialName, AdversarialLoss] = {
    loss.name: loss  # type: ignore[misc]  # its name is one of the recipe's
    for loss in (
        _built_in("non-saturating", logistic_discriminator, non_saturating_generator),
        _built_in("minimax", logistic_discriminator, minimax_generator),
        _built_in("least-squares", least_squares_discriminator, least_squares_generator),
        _built_in("hinge", hinge_discriminator, mean_logit_generator),
        _built_in("wasserstein", wasserstein_discriminator, mean_logit_generator),
        _built_in("relativistic", relativistic_discriminator, relativistic_generator),
        _built_in("relativistic-average", relativistic_average_discriminator, relativistic_average_generator),
    )
}


def adversarial_of(objective: Objective, own: AdversarialLoss | None = None) -> AdversarialLoss:
    """The loss that a recipe names; for custom, `own`. Raises ValueError where it is custom and there is none."""
    if objective.adversarial != "custom":
        return ADVERSARIAL[objective.adversarial]
    if own is None:
        raise ValueError("objective.adversarial is custom: the loss itself is needed")
    return own


def per_image(logits: Tensor) -> Tensor:
    """(N,): what D says of each image; of a map (N, P), the mean over its places."""
    return logits if logits.ndim == 1 else logits.flatten(1).mean(1)


def label_smoothing(real: Tensor, label: float) -> Tensor:
    """(1 - a) E[l(x)]: added to the logistic loss, it makes D's target for a real image a instead of 1.

    Since a softplus(-l) + (1 - a) softplus(l) = softplus(-l) + (1 - a) l. Salimans et al. 2016, arXiv 1606.03498,
    section 3.4: real labels only, since smoothed fake labels would reinforce G's current samples.
    """
    return (1 - label) * real.mean()
