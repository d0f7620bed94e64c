"""G's gradient from D's backward pass: one forward and one backward pass of D fewer per step.

Shen et al. 2021, "Training Generative Adversarial Networks in One Stage", arXiv 2103.00430, section 3.2. Where D judges each
image by itself, D's loss has the gradient d_i * J_i at image i, and G's loss has g_i * J_i: d_i and g_i are the derivatives for
the logit, J_i is the logit's gradient at the image. So G's gradient is D's, times g_i / d_i. Both players are updated from the
same weights, simultaneously. N images, C channels, H height, W width, P places of a map of logits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganglion.networks.custom import mixes_images
from ganglion.objectives.losses import DiscriminatorOutput, Parts, generator_loss, total
from ganglion.objectives.penalties import differentiated_inputs
from ganglion.training.phases import DiscriminatorPass, StepContext

__all__ = ["OneStage"]

SMALLEST = 2.0**-32
"""Of |d_i| as a share of |g_i|: where D's loss is flat, as under the hinge loss, its gradient is raised to this, so that
there is something to scale. It changes D's gradient by less than rounding does."""


class OneStage:
    """The gradient of G's loss at the images that D judged in `seen`. It is made before D's backward pass."""

    @classmethod
    def of(cls, step: StepContext, seen: DiscriminatorPass, update: int, d_paused: bool) -> OneStage | None:
        """At D's update number `update`; None where the recipe's updates alternate."""
        return cls(step, seen, update, d_paused) if step.one_stage else None

    def __init__(self, step: StepContext, seen: DiscriminatorPass, update: int, d_paused: bool = False) -> None:
        objective = step.recipe.objective
        logits = seen.fake_logits.detach().requires_grad_()  # (N,) or (N, P)
        real = DiscriminatorOutput(step.compared(seen.real_logits.detach()), None)
        fake = DiscriminatorOutput(step.compared(logits), None)
        loss = generator_loss(objective, real, fake, step.matching, step.adversarial)
        self._value = total(loss).detach()
        (self._wanted,) = torch.autograd.grad(total(loss), logits)
        self._judged = seen.judged
        second_order = "fake" in differentiated_inputs(objective.penalties, update)
        alone = logits.ndim == 1 and not mixes_images(step.players.discriminator)
        self.scales = alone and not second_order and not d_paused
        """Whether D's gradient is scaled; otherwise it is computed for G's loss, through the same forward pass."""
        self.images = [seen.judged] if self.scales else []
        """Where D's backward pass has to leave a gradient."""
        if self.scales:
            seen.fake_logits.register_hook(self._keep_ratio)  # type: ignore[no-untyped-call]
        else:
            (self._gradient,) = torch.autograd.grad(seen.fake_logits, seen.judged, self._wanted, retain_graph=True)

    def _keep_ratio(self, gradient: Tensor) -> Tensor:
        """Hook on the logits of fakes: keeps g_i / d_i; returns D's gradient (N,), raised where it is flat."""
        least = SMALLEST * self._wanted.abs().clamp_min(torch.finfo(torch.float32).tiny / SMALLEST)
        gradient = torch.where(gradient.abs() < least, torch.copysign(least, gradient), gradient)
        self._ratio = self._wanted / gradient
        return gradient

    def terms(self, fake: Tensor) -> Parts:
        """G's loss as a function of its images (N, C, H, W) with their graph, after D's backward pass."""
        value: Tensor = _WithGradient.apply(fake, self._value, self._at_images())  # type: ignore[no-untyped-call]
        return {"adversarial": value}

    def _at_images(self) -> Tensor:
        if not self.scales:
            return self._gradient
        gradient = self._judged.grad
        assert gradient is not None, "D's backward pass comes first"
        ratio = self._ratio.view(-1, *(1,) * (gradient.ndim - 1))  # (N, 1, 1, 1)
        return (gradient.float() * ratio).to(gradient.dtype)


class _WithGradient(torch.autograd.Function):
    """A value whose gradient at `fake` is known."""

    @staticmethod
    def forward(ctx: Any, fake: Tensor, value: Tensor, gradient: Tensor) -> Tensor:  # noqa: ARG004
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0].to(gradient.dtype), None, None
