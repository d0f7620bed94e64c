"""State that steps pass on beside weights and optimisers: running means of D's logits, ADA's strength, mean weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ganglion.augment.ada import next_strength
from ganglion.objectives.adversarial import per_image
from ganglion.objectives.losses import historical_averaging
from ganglion.recipe.parts import Ada, Balance
from ganglion.recipe.schema import Recipe
from ganglion.vitals.scalars import separation

__all__ = ["AUC", "RunningStats", "logit_summary"]


HORIZON = {"mean_real": 100, "mean_fake": 100, "separation": 10, "sign": 4}
"""How many updates of D a running mean goes back. LeCam's authors keep 0.99 of theirs; ADA's measure over 4 batches."""
AUC = list(HORIZON).index("separation")


def logit_summary(real: Tensor, fake: Tensor) -> Tensor:
    """Of D's logits on reals and fakes (N,): both means, the AUC, the mean sign on reals; (4,) in the order of HORIZON.

    Of maps (N, P), the means of images count.
    """
    real, fake = per_image(real.detach()), per_image(fake.detach())
    return torch.stack([real.mean(), fake.mean(), separation(real, fake), real.sign().mean()])


class RunningStats(nn.Module):
    """Tensors that a checkpoint keeps, so that a resumed run goes on exactly. Only `paused` ever waits for the device."""

    means: Tensor
    updates: Tensor
    skipped_updates: Tensor
    strength: Tensor

    def __init__(self, recipe: Recipe, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(len(HORIZON)))
        self.register_buffer("updates", torch.zeros(()))
        self.register_buffer("skipped_updates", torch.zeros((), dtype=torch.int64))  # of D, while it was paused
        self.register_buffer("horizon", torch.tensor([float(steps) for steps in HORIZON.values()]), persistent=False)
        self.register_buffer("strength", torch.zeros(()))
        self.mean_weights = nn.ModuleDict()
        if recipe.objective.historical_averaging_weight:
            for name, network in (("generator", generator), ("discriminator", discriminator)):
                self.mean_weights[name] = copy.deepcopy(network).requires_grad_(False)

    def mean(self, name: str) -> Tensor:
        """One running mean by its name in HORIZON, a scalar."""
        return self.means[list(HORIZON).index(name)]

    @torch.no_grad()
    def update(self, seen: Tensor, recipe: Recipe, images: int) -> None:
        """Takes an `logit_summary` into the means, and moves the augmentation's strength by `images` images."""
        self.updates += 1
        self.means += (seen - self.means) / torch.minimum(self.updates, self.horizon)  # type: ignore[arg-type]
        if isinstance(recipe.augment, Ada):
            settings = recipe.augment
            moved = next_strength(self.strength, self.mean("sign"), settings.target, images, settings.speed_kimg)
            self.strength.copy_(moved)  # in place, as all that a CUDA graph carries from step to step

    def paused(self, balance: Balance) -> tuple[bool, bool]:
        """Whether D and whether G skips this step. Where the recipe pauses players, this waits for the device."""
        if balance.pause_above_auc is None or not bool(self.updates > 0):
            return False, False
        lead = float(self.mean("separation"))
        return lead > balance.pause_above_auc, lead < 1 - balance.pause_above_auc

    def d_update_number(self, balance: Balance, step: int, turn: int) -> int:
        """Number, from 0, of D's next update; those it skipped do not count. Lazy penalties go by it."""
        return step * balance.d_steps + turn - (0 if balance.pause_above_auc is None else int(self.skipped_updates))

    def historical_averaging(self, weight: float, name: str, network: nn.Module) -> dict[str, Tensor]:
        """Historical averaging as a term of a player's loss; no term where the recipe has none."""
        if not weight:
            return {}
        return {
            "historical_averaging": weight
            * historical_averaging(network.parameters(), self.mean_weights[name].parameters())
        }

    @torch.no_grad()
    def update_mean_weights(self, name: str, network: nn.Module, share: float | Tensor) -> None:
        """Takes a player's weights into their mean over all steps, where the recipe wants it: mean += share * (w - mean).

        After step k the share is 1 / (k + 1), since the first weights count too.
        """
        if name in self.mean_weights:
            for mean, weight in zip(self.mean_weights[name].parameters(), network.parameters(), strict=True):
                mean.lerp_(weight, share)
