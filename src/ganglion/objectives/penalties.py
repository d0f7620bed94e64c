"""Penalties on D. Each takes the tensors of a step of D and returns a mean over images, in float32.

N images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganglion.objectives.adversarial import per_image
from ganglion.objectives.second_derivatives import gradients_for_inputs
from ganglion.platform.random_numbers import drawn, noise_like
from ganglion.recipe.parts import Penalty, PenaltyName

__all__ = [
    "PENALTIES",
    "Gathered",
    "Judge",
    "MeanInParts",
    "PenaltyInputs",
    "clip_weights",
    "differentiated_inputs",
    "due",
    "penalty_of",
    "slopes_between",
]


DRAGAN_SPREAD = (
    0.5  # of the noise around reals, over the standard deviation of all their pixels: as in the authors' code
)


Judge = Callable[[Tensor], Tensor]
"""D: images (N, C, H, W) to logits (N,), or (N, P) where it has one for each of P patches."""


MeanInParts = Callable[[Callable[[Judge, Tensor], Tensor], Tensor], Tensor]
"""(function of D and images (N, C, H, W) to (N,), images) to the function's mean."""

Errors = Callable[[Tensor, Tensor], Tensor]
"""Of D's decoders: images (N, C, H, W) and the number of a quarter (1,) to the errors (N,) of their reconstructions."""

Gathered = Callable[[Tensor], Tensor]
"""Values (N, ...) of each of P processes to those of all, (P * N, ...), in the order of the whole batch; differentiable."""


class PenaltyInputs(NamedTuple):
    """The inputs of a penalty."""

    judge: Judge
    real: Tensor
    fake: Tensor
    """D's inputs, (N, C, H, W). Those of `differentiated_inputs` require a gradient, and their logits depend on them."""
    real_logits: Tensor
    fake_logits: Tensor
    """D's logits on them, (N,), or (N, P)."""
    mean_real: Tensor
    mean_fake: Tensor
    """Running means of D's logits on reals and on fakes, scalars."""
    random: torch.Generator
    """On the images' device."""
    mean_in_parts: MeanInParts | None = None
    """How a mean over images is computed in micro-batches; None: of all images at once."""
    gathered: Gathered | None = None
    """Where several processes share a batch."""
    reconstruction_errors: Errors | None = None
    """Where D has decoders."""

    def mean(self, of: Callable[[Tensor], Tensor], images: Tensor, logits: Tensor | None = None) -> Tensor:
        """Mean of `of(|grad D|)` (N,) at images (N, C, H, W); `logits`: those of D there, if they have a graph."""
        if self.mean_in_parts is not None:
            return self.mean_in_parts(lambda judge, some: of(_gradient_norms_at(judge, some)), images)
        norms = _gradient_norms_at(self.judge, images) if logits is None else _gradient_norms(logits, images)
        return of(norms).mean()


def r1(inputs: PenaltyInputs) -> Tensor:
    """E[|grad D(x)|^2] / 2 over reals. Mescheder et al. 2018, arXiv 1801.04406, equation 9."""
    return inputs.mean(torch.square, inputs.real, inputs.real_logits) / 2


def r2(inputs: PenaltyInputs) -> Tensor:
    """E[|grad D(G(z))|^2] / 2 over fakes. Mescheder et al. 2018, arXiv 1801.04406, equation 10."""
    return inputs.mean(torch.square, inputs.fake, inputs.fake_logits) / 2


def wgan_gp(inputs: PenaltyInputs) -> Tensor:
    """E[(|grad D(y)| - 1)^2], y uniform between a real and a fake. Gulrajani et al. 2017, arXiv 1704.00028, equation 3."""
    return inputs.mean(lambda norms: (norms - 1).square(), _between(inputs.real, inputs.fake, inputs.random))


def wgan_lp(inputs: PenaltyInputs) -> Tensor:
    """E[max(0, |grad D(y)| - 1)^2]: norms below 1 are not penalised. Petzka et al. 2018, arXiv 1709.08894."""
    points = _between(inputs.real, inputs.fake, inputs.random)
    return inputs.mean(lambda norms: (norms - 1).clamp_min(0).square(), points)


def dragan(inputs: PenaltyInputs) -> Tensor:
    """E[(|grad D(x + d)| - 1)^2], d normal noise around the reals. Kodali et al. 2017, arXiv 1705.07215."""
    real = inputs.real.detach()
    noise = DRAGAN_SPREAD * _spread(real, inputs.gathered) * noise_like(real, inputs.random)
    return inputs.mean(lambda norms: (norms - 1).square(), real + noise)


def _spread(real: Tensor, gathered: Gathered | None) -> Tensor:
    """Standard deviation of all pixels of all reals of the whole batch."""
    if gathered is None:
        return real.std()
    means, variances = gathered(torch.stack([real.mean(), real.var(correction=0)])[None]).unbind(1)  # (P,)
    values = len(means) * real.numel()
    return ((variances.mean() + means.var(correction=0)) * (values / (values - 1))).sqrt()


def lecam(inputs: PenaltyInputs) -> Tensor:
    """E[(l(x) - mean l(G(z)))^2] + E[(l(G(z)) - mean l(x))^2], means over many steps. Tseng et al. 2021, arXiv 2104.03310."""
    return (inputs.real_logits - inputs.mean_fake).square().mean() + (
        inputs.fake_logits - inputs.mean_real
    ).square().mean()


def reconstruction(inputs: PenaltyInputs) -> Tensor:
    """E[|decoded features of x - x|] over reals, mean over pixels. Liu et al. 2021, arXiv 2101.04775, equation 4."""
    errors, real = inputs.reconstruction_errors, inputs.real.detach()
    assert errors is not None, "the recipe is refused where D has no decoders"
    quarter = torch.randint(4, (1,), generator=inputs.random, device=real.device)
    if inputs.mean_in_parts is not None:
        return inputs.mean_in_parts(lambda judge, some: errors(some, quarter), real)
    return errors(real, quarter).mean()


PENALTIES: dict[PenaltyName, Callable[[PenaltyInputs], Tensor]] = {
    "r1": r1,
    "r2": r2,
    "wgan-gp": wgan_gp,
    "wgan-lp": wgan_lp,
    "dragan": dragan,
    "lecam": lecam,
    "reconstruction": reconstruction,
}


JUDGED: dict[PenaltyName, str] = {"r1": "real", "r2": "fake"}
"""Penalties at images that D judges anyway: its forward pass serves its loss and the penalty."""


def due(penalties: tuple[Penalty, ...], update: int) -> list[Penalty]:
    """The penalties that are computed at D's update number `update`."""
    return [penalty for penalty in penalties if update % penalty.interval_updates == 0]


def differentiated_inputs(penalties: tuple[Penalty, ...], update: int) -> set[str]:
    """Which of D's inputs, real and fake, the penalties of this update differentiate its logits for."""
    return {JUDGED[penalty.kind] for penalty in due(penalties, update) if penalty.kind in JUDGED}


def penalty_of(penalty: Penalty, inputs: PenaltyInputs) -> Tensor:
    """Weight times the penalty, times `interval_updates`: computed at every k-th update, its mean is the same (Karras 2020).

    D computes as it does for its loss, in bf16 where the recipe says so; norms and means are computed in float32.
    """
    return PENALTIES[penalty.kind](inputs) * (penalty.weight * penalty.interval_updates)


def clip_weights(discriminator: nn.Module, bound: float | None) -> None:
    """After D's step: clips every weight to [-bound, bound]; None: no clipping. Arjovsky et al. 2017, arXiv 1701.07875."""
    if bound is not None:
        with torch.no_grad():
            for weight in discriminator.parameters():
                if weight.requires_grad:
                    weight.clamp_(-bound, bound)


def slopes_between(judge: Judge, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """|grad D| (N,) at a uniform random point between each real and its fake."""
    return _gradient_norms_at(judge, _between(real, fake, random))


def _between(real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    real, fake = real.detach(), fake.detach().to(real.dtype)

    def draw(n: int) -> Tensor:
        return torch.rand((n, *(1,) * (real.ndim - 1)), generator=random, device=real.device, dtype=real.dtype)

    share = drawn(draw, len(real), random)  # (N, 1, 1, 1)
    return torch.lerp(real, fake, share)


def _gradient_norms_at(judge: Judge, images: Tensor) -> Tensor:
    images = images.requires_grad_(True)  # (N, C, H, W)
    return _gradient_norms(judge(images), images)


def _gradient_norms(logits: Tensor, images: Tensor) -> Tensor:
    """|grad D| at each image (N,), differentiable; its gradient is 0 where the norm is 0. For a map, D is the map's mean."""
    with gradients_for_inputs():
        (slope,) = torch.autograd.grad(per_image(logits).sum(), images, create_graph=True)  # (N, C, H, W)
    wide = slope.to(torch.promote_types(slope.dtype, torch.float32))
    length: Tensor = torch.linalg.vector_norm(wide.flatten(1), dim=1)  # over C, H, W
    return length
